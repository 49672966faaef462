/** Starts the benchmark Worker in workerd, reached directly on loopback, not through Miniflare's own entry Worker. */
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The script and the .wasm modules it imports, which stay files of their own. */
async function bundle() {
  const wasm = new Map();
  const keepWasm = {
    name: "keep-wasm",
    setup(plugin) {
      plugin.onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        wasm.set(basename(path), readFileSync(join(resolveDir, path)));
        return { path: `./${basename(path)}`, external: true };
      });
    },
  };
  const { outputFiles } = await build({
    entryPoints: [join(root, "test/bench/seal/worker.ts")],
    external: ["node:*"],
    plugins: [keepWasm],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2024",
  });
  const script = { type: "ESModule", path: "index.mjs", contents: outputFiles[0].text };
  return [script, ...Array.from(wasm, ([path, contents]) => ({ type: "CompiledWasm", path, contents }))];
}

/** A running Worker: `url`, `processId` where it can be found, its peak memory, `stop`. */
export async function startWorker() {
  const before = childProcesses();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: await bundle(),
      compatibilityDate: "2026-10-15",
      compatibilityFlags: ["nodejs_compat"],
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    }),
  );
  await miniflare.ready;
  const url = await miniflare.unsafeGetDirectURL();
  const processId = childProcesses().find((id) => !before.includes(id) && commandOf(id).includes("workerd"));
  return { url, processId, stop: () => miniflare.dispose(), ...peakMemory(processId) };
}

/** Linux only: elsewhere there is no cheap way to read another process's peak, and the memory figure is left out. */
function childProcesses() {
  try {
    const ids = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8");
    return ids.trim().split(" ").filter(Boolean);
  } catch {
    return [];
  }
}

function commandOf(processId) {
  return readFileSync(`/proc/${processId}/comm`, "utf8");
}

function peakMemory(processId) {
  return {
    /** Makes the present memory the peak (proc(5), clear_refs 5). */
    resetPeak: () => writeFileSync(`/proc/${processId}/clear_refs`, "5"),
    /** Peak resident memory in MiB since then. */
    peakMebibytes: () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${processId}/status`, "utf8"))[1]) / 1024,
    canMeasureMemory: processId !== undefined,
  };
}
