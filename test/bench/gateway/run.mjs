/**
 * The model gateway beside Portkey's, which checks no key, keeps no budget and counts nothing, in front of the same provider in the same run; ours
 * with key check, limits, reservation, settlement and counting on. Portkey 1.15.2 answers every stream with 500 under Node 24 ("immutable"
 * headers), so streams stand beside a bare pass-through in the same runtime.
 */
import { fork, spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { report } from "../report.mjs";
import { freePort, percentile, startWorker } from "../start-worker.mjs";
import { ask, makeAgent, plainBody, streamBody } from "./client.mjs";

const round = (value) => Math.round(value * 100) / 100;
const rounds = Number(process.env.ROUNDS ?? 400);
const seconds = Number(process.env.SECONDS ?? 3);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

function startUpstream() {
  const process_ = fork(here("./upstream.mjs"), { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    process_.once("message", (/** @type {number} */ port) =>
      resolve({ url: `http://127.0.0.1:${port}/v1`, stop: () => process_.kill() }),
    );
    process_.once("exit", reject);
  });
}

async function startPeer(upstream) {
  const port = await freePort();
  const script = here(`../node_modules/portkey/build/start-server.js`);
  const child = spawn(process.execPath, [script, "--headless", `--port=${port}`], { stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries += 1) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      break;
    if (tries === 100) throw new Error("Portkey did not start");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const headers = {
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": upstream.url,
    authorization: "Bearer sk-bench",
  };
  return { place: { url: `${url}/v1/chat/completions`, headers }, stop: () => child.kill("SIGKILL") };
}

async function startOurs(upstream) {
  const bindings = { PROVIDER_OPENAI_BASE_URL: upstream.url, PROVIDER_OPENAI_KEY: "sk-bench" };
  const worker = await startWorker({ entry: "test/bench/gateway/worker.ts", bindings });
  const send = async (path, body, token) => {
    const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
    const answer = await fetch(worker.url + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const credentials = { email: "bench@example.com", password: "a long enough bench secret" };
  const { workspace } = await send("/v1/auth/register", credentials);
  const limits = {
    apiKeyRequestsPerMinute: 1e9,
    chatRequestsPerMinute: 1e9,
    apiCallsPerMonth: 1e12,
    aiTokensPerMonth: 1e12,
    moneyMicroUsdPerMonth: 1e12,
  };
  const database = await worker.miniflare.getD1Database("DB");
  await database
    .prepare("update workspaces set limit_overrides = ? where id = ?")
    .bind(JSON.stringify(limits), workspace.id)
    .run();
  const { access_token: token } = await send("/v1/auth/login", credentials);
  const { key } = await send("/v1/api-keys", { name: "bench" }, token);
  const place = { url: `${worker.url}/v1/chat/completions`, headers: { authorization: `Bearer ${key}` } };
  const used = async () => {
    const answer = await fetch(`${worker.url}/v1/usage`, { headers: { authorization: `Bearer ${token}` } });
    return (await answer.json()).usage.aiTokens;
  };
  return { place, bare: { url: `${worker.url}/__bench/bare`, headers: {} }, used, stop: worker.stop };
}

/** One after the other in turn, so that whatever else the machine does meets all alike. */
async function interleaved(places, body, times) {
  const agent = makeAgent(1);
  const results = places.map(() => []);
  for (let warm = 0; warm < 50; warm += 1) for (const place of places) await ask(agent, place, body);
  for (let time = 0; time < times; time += 1)
    for (const [index, place] of places.entries()) results[index].push(await ask(agent, place, body));
  agent.destroy();
  return results;
}

async function rate(place, { body, concurrency }) {
  const agent = makeAgent(concurrency);
  let count = 0;
  const begun = performance.now();
  const until = begun + seconds * 1_000;
  const worker = async () => {
    while (performance.now() < until) {
      await ask(agent, place, body);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  agent.destroy();
  return count / ((performance.now() - begun) / 1_000);
}

/** The best of three rounds, each after the other. */
async function rates(places, asked) {
  const best = places.map(() => 0);
  for (let time = 0; time < 3; time += 1)
    for (const [index, place] of places.entries()) best[index] = Math.max(best[index], await rate(place, asked));
  return best;
}

async function plain({ ours, direct, peer }) {
  const places = [direct, ours.place, peer.place, ours.bare];
  const [alone, through, theirs, passed] = await interleaved(places, plainBody, rounds);
  const p50 = (answers) =>
    percentile(
      answers.map(({ lastMs }) => lastMs),
      0.5,
    );
  const added = p50(through) - p50(alone);
  const [our, their, bare] = await rates([ours.place, peer.place, ours.bare], { body: plainBody, concurrency: 64 });
  return [
    {
      figure: "added latency of a completion, p50, one at a time",
      ours: `${round(added)} ms`,
      peer: `Portkey 1.15.2 ${round(p50(theirs) - p50(alone))} ms, bare pass-through ${round(p50(passed) - p50(alone))}`,
      target: "<= 0.8 ms",
      ok: added <= 0.8,
    },
    {
      figure: "completions a second, 64 at a time",
      ours: Math.round(our),
      peer: `Portkey 1.15.2 ${Math.round(their)}, bare pass-through ${Math.round(bare)}`,
      ratio: round(our / their),
      target: ">= 2",
      ok: our / their >= 2,
    },
  ];
}

async function firstBytes({ ours, direct }) {
  const body = streamBody(20, 0);
  const [alone, through, passed] = await interleaved([direct, ours.place, ours.bare], body, rounds);
  const first = (answers, share) =>
    percentile(
      answers.map(({ firstMs }) => firstMs),
      share,
    );
  const p50 = first(through, 0.5) - first(alone, 0.5);
  const p99 = first(through, 0.99) - first(alone, 0.99);
  const bare = (share) => `bare pass-through ${round(first(passed, share) - first(alone, share))} ms`;
  return [
    {
      figure: "added time to the first byte of a stream, p50",
      ours: `${round(p50)} ms`,
      peer: bare(0.5),
      target: "<= 0.5 ms",
      ok: p50 <= 0.5,
    },
    { figure: "the same, p99", ours: `${round(p99)} ms`, peer: bare(0.99), target: "<= 2 ms", ok: p99 <= 2 },
  ];
}

async function paced({ ours }) {
  const agent = makeAgent(200);
  const body = streamBody(50, 40);
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      // Callers come one after the other; all at once would show how long two hundred admissions take.
      await new Promise((resolve) => setTimeout(resolve, index * 10));
      return ask(agent, ours.place, body);
    }),
  );
  agent.destroy();
  const gaps = answers.flatMap(({ pieces }) => pieces.slice(1).map((at, index) => at - pieces[index]));
  const p99 = percentile(gaps, 0.99);
  return [
    {
      figure: "200 streams of 50 tokens, 40 ms apart: wait between two pieces, p99",
      ours: `${round(p99)} ms, longest ${round(Math.max(...gaps))}`,
      peer: "40 ms as sent",
      target: "<= 100 ms",
      ok: p99 <= 100,
    },
  ];
}

async function bursts({ ours, direct }) {
  const body = streamBody(100, 0);
  const [our, bare, alone] = await rates([ours.place, ours.bare, direct], { body, concurrency: 32 });
  return [
    {
      figure: "streams of 100 tokens a second, 32 at a time, each counted exactly",
      ours: Math.round(our),
      peer: `bare pass-through ${Math.round(bare)}, provider alone ${Math.round(alone)}`,
      ratio: round(our / bare),
      target: ">= 0.45 of the bare pass-through",
      ok: our / bare >= 0.45,
    },
  ];
}

async function exact({ ours }) {
  const agent = makeAgent(16);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const before = await ours.used();
  await Promise.all(Array.from({ length: 200 }, () => ask(agent, ours.place, streamBody(30, 0))));
  agent.destroy();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const billed = (await ours.used()) - before;
  return [
    {
      figure: "tokens billed for 200 streams of 12 + 30",
      ours: billed,
      peer: `delivered ${200 * 42}`,
      target: "equal",
      ok: billed === 200 * 42,
    },
  ];
}

const upstream = await startUpstream();
const direct = { url: `${upstream.url}/chat/completions`, headers: {} };
const ours = await startOurs(upstream);
const peer = await startPeer(upstream);
const lines = [];
for (const figure of [plain, firstBytes, paced, bursts, exact]) lines.push(...(await figure({ ours, direct, peer })));
peer.stop();
await ours.stop();
upstream.stop();
report(lines);
