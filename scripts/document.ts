/** Writes docs/openapi.json and docs/problems.md from the code. With --check it only compares, and fails when they are stale. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { problemKinds } from "../src/core/problem.ts";

async function openApi(): Promise<string> {
  const bundle = await build({
    stdin: {
      contents: 'export { buildDocument } from "./scripts/openapi.ts";',
      resolveDir: process.cwd(),
      loader: "ts",
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node22",
    loader: { ".txt": "text", ".wasm": "empty" },
    external: ["cloudflare:*"],
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    plugins: [
      {
        name: "no-runtime",
        setup: (plugin) => {
          plugin.onResolve({ filter: /^cloudflare:/ }, (args) => ({ path: args.path, namespace: "runtime" }));
          plugin.onLoad({ filter: /.*/, namespace: "runtime" }, () => ({
            contents: "export class DurableObject {}; export const env = {};",
          }));
        },
      },
    ],
  });
  const [file] = bundle.outputFiles;
  if (!file) throw new Error("nothing was built");
  mkdirSync("dist", { recursive: true });
  writeFileSync("dist/document.mjs", file.contents);
  const module = (await import(pathToFileURL("dist/document.mjs").href)) as { buildDocument(): object };
  return `${JSON.stringify(module.buildDocument(), null, 1)}\n`;
}

function problems(): string {
  const rows = Object.entries(problemKinds)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([code, kind]) => `| \`${code}\` | ${kind.status} | ${kind.title} | ${kind.suggestion} |`);
  return `# Problem codes\n\nEvery error is a problem document (RFC 9457) with one of these codes in \`code\`. Made from \`src/core/problem-codes\`.\n\n| Code | Status | Title | What to do |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
}

const wanted: Record<string, string> = { "docs/openapi.json": await openApi(), "docs/problems.md": problems() };
const isCheck = process.argv.includes("--check");
for (const [path, text] of Object.entries(wanted)) {
  if (!isCheck) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    console.error(`${path} is stale: run npm run document`);
    process.exitCode = 1;
  }
}
