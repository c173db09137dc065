// The peer of photo.py: the same renditions by sharp. One decode, then each width from the next larger one, all in
// this process without worker threads beyond libvips' one.
//
//   node sharp_peer.mjs SETTINGS.json   {"files": [{"path": "...", "sizes": [[320, 240], ...]}], "out": "folder",
//                                        "fastShrinkOnLoad": bool, "jpeg": {}, "modernFormat": "avif", "modern": {}}
//
// Prints one JSON line a file: CPU seconds of the whole process (user and system).
import fs from "node:fs";
import path from "node:path";
import sharp from "sharp";

sharp.concurrency(1);
sharp.cache(false);

const settings = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const cpu = () => { const used = process.cpuUsage(); return (used.user + used.system) / 1e6; };
const raw = async (pipeline) => {
  const { data, info } = await pipeline.raw().toBuffer({ resolveWithObject: true });
  return { input: data, raw: { width: info.width, height: info.height, channels: info.channels } };
};

async function renditions({ path: file, sizes }, folder) {
  const largestFirst = [...sizes].sort(([a], [b]) => b - a);
  const to = ([width, height]) => ({ width, height, fit: "fill", fastShrinkOnLoad: settings.fastShrinkOnLoad });
  let level = await raw(sharp(file).autoOrient().resize(to(largestFirst[0])));
  for (const size of largestFirst) {
    if (size[0] < level.raw.width) {
      level = await raw(sharp(level.input, { raw: level.raw }).resize(to(size)));
    }
    const from = () => sharp(level.input, { raw: level.raw });
    const stem = path.join(folder, `w${size[0]}`);
    await from().jpeg(settings.jpeg).toFile(`${stem}.jpg`);
    await from().toFormat(settings.modernFormat, settings.modern).toFile(`${stem}.${settings.modernFormat}`);
  }
}

for (const [index, file] of [settings.files[0], ...settings.files].entries()) {
  const folder = path.join(settings.out, String(Math.max(0, index - 1)));
  fs.mkdirSync(folder, { recursive: true });
  const before = cpu();
  await renditions(file, folder);
  if (index > 0) { // The first one only warms up.
    console.log(JSON.stringify({ cpu: cpu() - before }));
  }
}
