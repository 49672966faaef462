/**
 * Makes dist/worker, the Worker as it is deployed: its source without the words that only the OpenAPI document holds, and its libraries
 * without what no code of ours reaches. Wrangler then bundles and minifies it. A development server runs the source itself.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { deployedSource } from "./deployed-source.ts";
import { exportedNames, trim } from "./trim.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "dist/worker");
/** What wrangler is told to deploy in place of `main`. */
export const workerPath = "dist/worker/index.js";

/**
 * Files of libraries that are loaded with others and never used, as npm names them. Each name that they export refuses to be called. That
 * none of ours asks for it is checked by test/repo/deployed-worker.test.ts.
 */
export const leftOutFiles: readonly string[] = [
  // JSON Schema of zod: the document is made when the project is built, by a library of its own.
  "zod/v4/core/json-schema-processors.js",
  "zod/v4/core/to-json-schema.js",
  // Drizzle's relational queries, `db.query`.
  "drizzle-orm/relations.js",
  "drizzle-orm/sqlite-core/query-builders/query.js",
];

/** Zod makes the methods of each schema with the functions called `create...`: calling those has to be possible. */
function refusing(path: string, name: string): string {
  const text = JSON.stringify(`${name} is left out of this build (scripts/worker.ts)`);
  const names = exportedNames(path).map((exported) =>
    exported.startsWith("create") ? `export const ${exported} = () => refuse;` : `export { refuse as ${exported} };`,
  );
  return [`function refuse() { throw new Error(${text}); }`, ...names].join("\n");
}

/** `met` takes the files that were left out. */
function leavingOut(met: Set<string>): Plugin {
  return {
    name: "leave-out",
    setup(plugin) {
      plugin.onLoad({ filter: /\/src\/.*\.tsx?$/ }, ({ path }) => {
        const text = deployedSource(path, readFileSync(path, "utf8"), { answers: "left-out" });
        return { contents: text, loader: path.endsWith("x") ? "tsx" : "ts" };
      });
      plugin.onLoad({ filter: /\/node_modules\/.*\.js$/ }, ({ path }) => {
        const name = path.replaceAll("\\", "/").split("/node_modules/").at(-1) ?? "";
        if (!leftOutFiles.includes(name)) return null;
        met.add(name);
        return { contents: refusing(path, name) };
      });
    },
  };
}

export async function makeWorker(): Promise<void> {
  await trim();
  rmSync(folder, { recursive: true, force: true });
  const met = new Set<string>();
  await build({
    entryPoints: [join(root, "src/index.ts")],
    outdir: folder,
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    mainFields: ["browser", "module", "main"],
    external: ["node:*", "cloudflare:*", "crypto"],
    loader: { ".wasm": "copy", ".txt": "copy" },
    sourcemap: true,
    plugins: [leavingOut(met)],
    logLevel: "error",
  });
  const missing = leftOutFiles.filter((name) => !met.has(name));
  if (missing.length > 0) throw new Error(`Nothing asks for ${missing.join(", ")} any more: read what it has now.`);
}
