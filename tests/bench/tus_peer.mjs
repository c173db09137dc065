// The peer of tests/bench/upload.py: npm's @tus/server with FileStore, and a health check beside it.
import http from "node:http";
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const [port, directory] = process.argv.slice(2);
const tus = new Server({ path: "/files", datastore: new FileStore({ directory }) });
http
  .createServer((request, response) => {
    if (request.url === "/healthz") {
      response.end("ok\n");
    } else {
      tus.handle(request, response);
    }
  })
  .listen(Number(port), "127.0.0.1");
