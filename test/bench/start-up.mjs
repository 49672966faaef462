/** From process start to the first answer, ours over a bare Worker, per published route. workerd itself, nothing around it. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { report } from "./report.mjs";
import { bundle, freePort, percentile, secrets } from "./start-worker.mjs";

const rounds = Number(process.env.ROUNDS ?? 25);

function config(port, { modules, bindings, flags }) {
  const text = (value) => JSON.stringify(value);
  const bound = Object.entries(bindings).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [${modules.join(", ")}],
  compatibilityDate = "2026-10-15",
  compatibilityFlags = [${flags.map(text).join(", ")}],
  bindings = [${bound.join(", ")}],
);`;
}

export async function firstAnswerMs(folder, port, path) {
  const startedAt = performance.now();
  const child = spawn("node_modules/.bin/workerd", ["serve", join(folder, "config.capnp")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    for (let tries = 0; tries < 2_000; tries += 1) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => null);
      if (answer?.ok) {
        await answer.arrayBuffer();
        return performance.now() - startedAt;
      }
      if (answer) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
      await new Promise((resolve) => setTimeout(resolve, 0.5));
    }
    throw new Error("the Worker did not answer");
  } finally {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
}

export async function prepare(entry, { bindings, flags }) {
  const folder = mkdtempSync(join(tmpdir(), "overtone-start-"));
  const port = await freePort();
  const { script, wasm } = await bundle(entry);
  writeFileSync(join(folder, "index.mjs"), script);
  for (const [name, contents] of wasm) writeFileSync(join(folder, name), contents);
  const embedded = Array.from(wasm.keys(), (name) => `(name = "${name}", wasm = embed "${name}")`);
  const modules = ['(name = "index.mjs", esModule = embed "index.mjs")', ...embedded];
  writeFileSync(join(folder, "config.capnp"), config(port, { modules, bindings, flags }));
  return { folder, port };
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
  const ours = await prepare("src/index.ts", { bindings, flags });
  const bare = await prepare("test/bench/request-path/bare.ts", { bindings: {}, flags });
  const times = { ours: [], bare: [] };
  for (let round = 0; round < rounds; round += 1) {
    times.bare.push(await firstAnswerMs(bare.folder, bare.port, "/"));
    times.ours.push(await firstAnswerMs(ours.folder, ours.port, "/"));
  }
  const document = JSON.parse((await import("node:fs")).readFileSync("docs/openapi.json", "utf8"));
  const routes = Object.values(document.paths).flatMap((item) => Object.keys(item)).length;
  for (const { folder } of [ours, bare]) rmSync(folder, { recursive: true });
  const oursMs = percentile(times.ours, 0.5);
  const bareMs = percentile(times.bare, 0.5);
  const perRoute = (oursMs - bareMs) / routes;
  return [
    {
      figure: "start-up over a bare Worker, ms a route",
      ours: round(perRoute),
      peer: `bare Worker ${round(bareMs)} ms, ours ${round(oursMs)} ms, ${routes} routes`,
      target: "<= 0.45",
      ok: perRoute <= 0.45,
    },
  ];
}

const round = (value) => Math.round(value * 1_000) / 1_000;

if (import.meta.filename === process.argv[1]) report(await run());
