/** Starts a bundled Worker in workerd with local bindings and no proxy in front: figures are of the Worker, not of a development server. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { generateKeyPairSync, randomBytes } from "node:crypto";

export async function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** The script, and the .wasm files that it imports by name. */
export async function bundle(entry) {
  const wasm = new Map();
  const require = createRequire(import.meta.url);
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    mainFields: ["browser", "module", "main"],
    external: ["node:*", "cloudflare:*"],
    loader: { ".txt": "text" },
    write: false,
    outdir: "dist/bench",
    plugins: [
      {
        name: "node-prefix",
        setup: (plugin) =>
          plugin.onResolve(
            {
              filter:
                /^(crypto|buffer|stream|zlib|util|events|assert|path|fs|url|async_hooks|process|os|string_decoder)$/,
            },
            ({ path }) => ({ path: `node:${path}`, external: true }),
          ),
      },
      {
        name: "wasm",
        setup: (plugin) => {
          plugin.onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
            const name = basename(path);
            wasm.set(name, readFileSync(path.startsWith(".") ? join(resolveDir, path) : require.resolve(path)));
            return { path: `./${name}`, external: true };
          });
        },
      },
    ],
  });
  return { script: result.outputFiles[0].text, wasm };
}

export function secrets() {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig", kid: "bench" };
  return { MASTER_KEYS: `1:${randomBytes(32).toString("base64")}`, JWT_PRIVATE_JWKS: JSON.stringify({ keys: [jwk] }) };
}

/** Everything that wrangler.toml binds; sign-in limits are wide because a bench comes from one address. */
export async function startWorker({ entry, bindings = {}, bare = false, buckets = {} }) {
  const port = await freePort();
  const { script, wasm } = await bundle(entry);
  const queues = ["conversion", "transcription", "distribution", "delivery"];
  const common = {
    name: "bench",
    modules: [
      { type: "ESModule", path: "index.mjs", contents: script },
      ...Array.from(wasm, ([path, contents]) => ({ type: "CompiledWasm", path, contents })),
    ],
    compatibilityDate: "2026-10-15",
    compatibilityFlags: ["nodejs_compat", "enable_request_signal"],
    d1Databases: { DB: "bench" },
    unsafeDirectSockets: [{ host: "127.0.0.1", port }],
  };
  const full = bare
    ? { r2Buckets: buckets }
    : {
        r2Buckets: { FILES: "bench" },
        serviceBindings: { NETWORK: { network: { allow: ["public", "private"] } } },
        durableObjects: Object.fromEntries(
          [
            ["SESSION_STORE", "SessionStore"],
            ["RATE_LIMITER", "RateLimiter"],
            ["LEDGER", "Ledger"],
            ["HASHER", "Hasher"],
            ["STREAM_BUFFER", "StreamBuffer"],
            ["GATE", "Gate"],
          ].map(([name, className]) => [name, { className, useSQLite: true }]),
        ),
        queueProducers: Object.fromEntries(queues.map((name) => [`${name.toUpperCase()}_QUEUE`, { queueName: name }])),
        queueConsumers: Object.fromEntries(
          queues.map((name) => [name, { maxBatchSize: name === "delivery" ? 20 : 1, maxBatchTimeout: 0 }]),
        ),
        bindings: {
          ENVIRONMENT: "test",
          PUBLIC_URL: `http://127.0.0.1:${port}`,
          R2_S3_ENDPOINT: "http://127.0.0.1:1/none",
          R2_BUCKET_NAME: "bench",
          R2_ACCESS_KEY_ID: "bench",
          R2_SECRET_ACCESS_KEY: "bench",
          ...secrets(),
          ...bindings,
        },
      };
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({ host: "127.0.0.1", port: 0, log: undefined, workers: [{ ...common, ...full }] }),
  );
  await miniflare.ready;
  await migrate(await miniflare.getD1Database("DB"));
  return { url: `http://127.0.0.1:${port}`, port, miniflare, stop: () => miniflare.dispose() };
}

async function migrate(database) {
  for (const file of readdirSync("migrations")
    .filter((name) => name.endsWith(".sql"))
    .sort()) {
    const statements = readFileSync(`migrations/${file}`, "utf8")
      .split(/;\s*$/m)
      .map((text) => text.trim())
      .filter(Boolean);
    await database.batch(statements.map((text) => database.prepare(text)));
  }
}

/** The workerd process that this process started, other than those named: its CPU time is what a request costs. */
export function workerdPid(...others) {
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const [, name, rest] = /^\d+ \((.*)\) \S (\d+)/.exec(stat) ?? [];
      const isOurs = name === "workerd" && Number(rest) === process.pid;
      if (isOurs && !others.includes(Number(entry))) return Number(entry);
    } catch {
      // The process ended between the two reads.
    }
  }
  throw new Error("no workerd process found");
}

/** Microseconds of CPU that a process has used. */
export function cpuMicroseconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
