/**
 * From process start to the first answer, ours over a bare Worker, per published route. workerd itself, nothing around it. Each round
 * starts both, and the figure is the median of the rounds' differences: what else the machine does moves both. CPU time is told beside it.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { report } from "./report.mjs";
import { bundle, percentile, secrets } from "./start-worker.mjs";
import { makeWorker, workerPath } from "../../scripts/worker.ts";

const rounds = Number(process.env.ROUNDS ?? 25);

function config({ modules, bindings, flags }) {
  const text = (value) => JSON.stringify(value);
  const bound = Object.entries(bindings).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [${modules.join(", ")}],
  compatibilityDate = "2026-10-15",
  compatibilityFlags = [${flags.map(text).join(", ")}],
  bindings = [${bound.join(", ")}],
);`;
}

/** Milliseconds until the first answer, and of CPU until then. */
async function firstAnswer(folder) {
  // The socket is open before the process is: the request waits in it, and nothing has to try again and again.
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  const startedAt = performance.now();
  const child = spawn("node_modules/.bin/workerd", ["serve", "--socket-fd=http=3", join(folder, "config.capnp")], {
    stdio: ["ignore", "ignore", "inherit", server._handle.fd],
  });
  server.close();
  try {
    const status = await statusOf(`http://127.0.0.1:${port}/`);
    const wallMs = performance.now() - startedAt;
    if (status !== 200) throw new Error(`the first answer was ${status}`);
    return { wallMs, cpuMs: cpuMs(child.pid) };
  } finally {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
}

function statusOf(url) {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: 20_000 }, (answer) => {
      answer.resume().once("end", () => resolve(answer.statusCode));
    });
    request.once("timeout", () => request.destroy(new Error("the Worker did not answer"))).once("error", reject);
  });
}

/** Of all threads, to the nanosecond. */
function cpuMs(pid) {
  const threads = readdirSync(`/proc/${pid}/task`).map((id) =>
    readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8"),
  );
  return threads.reduce((sum, line) => sum + Number(line.split(" ")[0]) / 1e6, 0);
}

async function prepare(entry, { bindings, flags }) {
  const folder = mkdtempSync(join(tmpdir(), "overtone-start-"));
  const { script, wasm } = await bundle(entry);
  writeFileSync(join(folder, "index.mjs"), script);
  for (const [name, contents] of wasm) writeFileSync(join(folder, name), contents);
  const embedded = Array.from(wasm.keys(), (name) => `(name = "${name}", wasm = embed "${name}")`);
  const modules = ['(name = "index.mjs", esModule = embed "index.mjs")', ...embedded];
  writeFileSync(join(folder, "config.capnp"), config({ modules, bindings, flags }));
  return folder;
}

export async function run() {
  const bindings = {
    ENVIRONMENT: "test",
    PUBLIC_URL: "http://127.0.0.1",
    R2_S3_ENDPOINT: "http://127.0.0.1:1",
    R2_BUCKET_NAME: "b",
    R2_ACCESS_KEY_ID: "b",
    R2_SECRET_ACCESS_KEY: "b",
    ...secrets(),
  };
  const flags = ["enable_request_signal"];
  await makeWorker();
  const ours = await prepare(workerPath, { bindings, flags });
  const bare = await prepare("test/bench/request-path/bare.ts", { bindings: {}, flags });
  const rows = [];
  for (let round = 0; round < rounds; round += 1)
    rows.push({ bare: await firstAnswer(bare), ours: await firstAnswer(ours) });
  for (const folder of [ours, bare]) rmSync(folder, { recursive: true });
  const document = JSON.parse(readFileSync("docs/openapi.json", "utf8"));
  const routes = Object.values(document.paths).flatMap((item) => Object.keys(item)).length;
  const median = (value) => percentile(rows.map(value), 0.5);
  const perRoute = median(({ ours, bare }) => ours.wallMs - bare.wallMs) / routes;
  const cpuPerRoute = median(({ ours, bare }) => ours.cpuMs - bare.cpuMs) / routes;
  const wall = `bare Worker ${round(median((row) => row.bare.wallMs))} ms, ours ${round(median((row) => row.ours.wallMs))} ms`;
  const cpu = `CPU ${round(median((row) => row.bare.cpuMs))} and ${round(median((row) => row.ours.cpuMs))} ms`;
  return [
    {
      figure: "start-up over a bare Worker, ms a route",
      ours: round(perRoute),
      cpu: round(cpuPerRoute),
      peer: `${wall}; ${cpu}; ${routes} routes`,
      target: "<= 0.45",
      ok: perRoute <= 0.45,
    },
  ];
}

const round = (value) => Math.round(value * 1_000) / 1_000;

if (import.meta.filename === process.argv[1]) report(await run());
