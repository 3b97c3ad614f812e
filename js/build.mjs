// Builds each widget's module and style sheet into kvmnb/widgets/static, with all it needs inside:
// a page that shows a widget asks no other host for anything.
import { copyFile, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = new URL(".", import.meta.url);
const target = new URL("../kvmnb/widgets/static/", here);

const WIDGETS = ["guest_view", "host_view"];

// What is bundled, and the licence that travels with it.
const LICENCES = { uplot: "node_modules/uplot/LICENSE" };

await mkdir(target, { recursive: true });
await build({
  absWorkingDir: fileURLToPath(here),
  entryPoints: WIDGETS.map((name) => `src/${name}.js`),
  outdir: fileURLToPath(target),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
});
for (const [name, path] of Object.entries(LICENCES)) {
  await copyFile(new URL(path, here), new URL(`LICENSE-${name}.txt`, target));
}
