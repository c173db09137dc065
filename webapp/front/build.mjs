// Builds the front end into webapp/static/dist with content hashes in the names, and writes manifest.json:
// the source's name as templates know it ("site.js", "inter-latin-wght-normal.woff2") to the built file's name.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile, rename, readdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const front = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(front, "../..");
const dist = path.join(root, "webapp/static/dist");

const entries = ["base.css", "site.css", "site.ts", "photo.ts", "guest.css", "guest.ts", "dashboard.css", "dashboard.ts",
  "frame.css", "frame.ts", "embed.ts", "operator.css", "reference.css"]
  .map((name) => path.join(front, name))
  .filter((file) => existsSync(file));

const fonts = ["inter", "source-serif-4", "nunito", "jetbrains-mono"].flatMap((family) =>
  ["latin", "latin-ext"].map((subset) =>
    path.join(root, `node_modules/@fontsource-variable/${family}/files/${family}-${subset}-wght-normal.woff2`),
  ),
);

const options = {
  entryPoints: entries,
  outdir: dist,
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022", "safari16", "chrome110", "firefox115"],
  minify: true,
  sourcemap: "linked",
  metafile: true,
  entryNames: "[name]-[hash]",
  chunkNames: "chunk-[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".svg": "file", ".woff2": "file" },
  legalComments: "linked",
  logLevel: "info",
};

async function copyFonts() {
  const names = {};
  for (const file of fonts) {
    const bytes = await readFile(file);
    const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 8);
    const built = path.basename(file).replace(".woff2", `-${hash}.woff2`);
    await writeFile(path.join(dist, built), bytes);
    names[path.basename(file)] = built;
  }
  return names;
}

async function writeManifest(metafile) {
  const manifest = await copyFonts();
  for (const [output, { entryPoint }] of Object.entries(metafile.outputs)) {
    if (entryPoint) manifest[path.basename(entryPoint).replace(/\.ts$/, ".js")] ??= path.basename(output);
  }
  // A dynamically imported module is an entry point too, but only ours are named by templates.
  const file = path.join(dist, "manifest.json");
  await writeFile(`${file}.new`, `${JSON.stringify(manifest, null, 1)}\n`);
  await rename(`${file}.new`, file); // The manifest changes last and at once: no page sees half a build.
  return manifest;
}

async function sweep(metafile, manifest) {
  const kept = new Set([...Object.keys(metafile.outputs).map((name) => path.basename(name)), ...Object.values(manifest)]);
  for (const name of await readdir(dist)) {
    if (name !== "manifest.json" && !kept.has(name)) await rm(path.join(dist, name));
  }
}

await mkdir(dist, { recursive: true });
const finish = {
  name: "manifest",
  setup(build) {
    build.onEnd(async ({ metafile, errors }) => {
      if (metafile && errors.length === 0) await sweep(metafile, await writeManifest(metafile));
    });
  },
};

const context = await esbuild.context({ ...options, plugins: [finish] });
if (process.argv.includes("--watch")) {
  await context.watch();
} else {
  await context.rebuild();
  await context.dispose();
}
