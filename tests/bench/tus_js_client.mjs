// Uploads one file with tus-js-client as its manual says; tests/faults/test_upload_kill.py kills the server meanwhile.
import fs from "node:fs";
import path from "node:path";
import * as tus from "tus-js-client";

const [file, endpoint, ticket] = process.argv.slice(2);
const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint,
  headers: { Authorization: `Bearer ${ticket}` },
  metadata: { filename: path.basename(file) },
  uploadSize: fs.statSync(file).size,
  retryDelays: Array(100).fill(250),
  onError(error) {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess({ lastResponse }) {
    console.log(lastResponse.getHeader("Upload-Asset"));
  },
});
upload.start();
