/** What a request costs before its own work: CPU against the same read alone, the key check alone, sign-ins beside others, and distance. */
import { Agent, request } from "node:http";
import { performance } from "node:perf_hooks";
import { Worker as Thread } from "node:worker_threads";
import { cpuMicroseconds, percentile, startWorker, workerdPid } from "../start-worker.mjs";
import { report } from "../report.mjs";

const seconds = Number(process.env.SECONDS ?? 3);
const rounds = 3;
const round = (value) => Math.round(value * 100) / 100;

/** One call over a keep-alive connection; returns its milliseconds. */
function callOnce(agent, url, options) {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { agent, method: options.method ?? "GET", headers: options.headers ?? {} },
      (answer) => {
        answer.resume();
        answer.once("end", () =>
          options.expect && answer.statusCode !== options.expect
            ? reject(new Error(`${url} answered ${answer.statusCode}`))
            : resolve(performance.now() - startedAt),
        );
      },
    );
    outgoing.once("error", reject);
    outgoing.end(options.body);
  });
}

/** Keeps `concurrency` calls under way for some seconds; returns requests and CPU microseconds of workerd for each. */
async function load(url, { headers, concurrency, pid }) {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  let count = 0;
  const until = performance.now() + seconds * 1_000;
  const before = cpuMicroseconds(pid);
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < until) {
        await callOnce(agent, url, { headers, expect: 200 });
        count += 1;
      }
    }),
  );
  const used = cpuMicroseconds(pid) - before;
  agent.destroy();
  return { count, microseconds: used / count };
}

let addresses = 0;
const nextAddress = () => `198.18.${(addresses += 1) >> 8}.${addresses & 255}`;

async function person(worker) {
  const credentials = {
    email: `bench-${Date.now()}-${Math.random()}@example.com`,
    password: "a long enough bench secret",
  };
  const send = (path, body, token) =>
    fetch(worker.url + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "cf-connecting-ip": nextAddress(),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      body: JSON.stringify(body),
    }).then((answer) => answer.json());
  const { workspace } = await send("/v1/auth/register", credentials);
  const database = await worker.miniflare.getD1Database("DB");
  await database
    .prepare("update workspaces set limit_overrides = ? where id = ?")
    .bind(JSON.stringify({ sessionRequestsPerMinute: 1e9, apiKeyRequestsPerMinute: 1e9 }), workspace.id)
    .run();
  const { access_token: token } = await send("/v1/auth/login", credentials);
  const { key } = await send("/v1/api-keys", { name: "bench" }, token);
  return { credentials, token, key };
}

async function readAgainstBare() {
  const worker = await startWorker({ entry: "test/bench/request-path/worker.ts" });
  const pid = workerdPid();
  const { token, key } = await person(worker);
  const ours = [];
  const check = [];
  for (let count = 0; count < rounds; count += 1)
    ours.push(
      (await load(`${worker.url}/v1/jobs`, { headers: { authorization: `Bearer ${token}` }, concurrency: 32, pid }))
        .microseconds,
    );
  for (let count = 0; count < rounds; count += 1) {
    const times = 100_000;
    const before = cpuMicroseconds(pid);
    const answer = await fetch(`${worker.url}/__bench/check?times=${times}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    if (!answer.ok) throw new Error(`the check answered ${answer.status}`);
    check.push((cpuMicroseconds(pid) - before) / times);
  }
  await worker.stop();
  const bare = await startBare();
  const alone = [];
  for (let count = 0; count < rounds; count += 1)
    alone.push((await load(bare.url, { headers: {}, concurrency: 32, pid: workerdPid() })).microseconds);
  await bare.stop();
  const ratio = Math.min(...ours) / Math.min(...alone);
  const cost = Math.min(...check);
  return [
    {
      figure: "authenticated read, CPU at concurrency 32",
      ours: `${round(Math.min(...ours))} us`,
      peer: `the same Drizzle read alone ${round(Math.min(...alone))} us`,
      ratio: round(ratio),
      target: "<= 1.6",
      ok: ratio <= 1.6,
    },
    {
      figure: "cached API-key check, CPU",
      ours: `${round(cost)} us`,
      peer: "none",
      target: "<= 15 us",
      ok: cost <= 15,
    },
  ];
}

async function startBare() {
  const worker = await startWorker({ entry: "test/bench/request-path/bare-read.ts", bare: true });
  return worker;
}

async function signInsBeside() {
  const worker = await startWorker({ entry: "test/bench/request-path/worker.ts" });
  const { token } = await person(worker);
  // One person each: five wrong or parallel tries would lock the address of one.
  const crowd = [];
  for (let count = 0; count < 50; count += 1) crowd.push((await person(worker)).credentials);
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const read = () =>
    callOnce(agent, `${worker.url}/v1/jobs`, { headers: { authorization: `Bearer ${token}` }, expect: 200 });
  for (let count = 0; count < 200; count += 1) await read();
  const idle = [];
  for (let count = 0; count < 1_000; count += 1) idle.push(await read());
  const single = [];
  for (let count = 0; count < 15; count += 1)
    single.push(await callOnce(agent, `${worker.url}/__bench/hash`, { expect: 200 }));
  const thread = new Thread(new URL("./storm.mjs", import.meta.url));
  const busy = [];
  for (let storm = 0; storm < 4; storm += 1) {
    let pending = true;
    const ended = new Promise((resolve, reject) => thread.once("message", resolve).once("error", reject)).finally(
      () => (pending = false),
    );
    thread.postMessage({
      url: worker.url,
      crowd: crowd.map((credentials) => ({ body: JSON.stringify(credentials), address: nextAddress() })),
    });
    while (pending) busy.push(await read());
    const refused = (await ended).filter((status) => status !== 200);
    if (refused.length > 0) throw new Error(`sign-ins answered ${refused.join(", ")}`);
  }
  await thread.terminate();
  agent.destroy();
  await worker.stop();
  const hash = percentile(single, 0.5);
  const bound = percentile(idle, 0.99) + 1.5 * hash;
  const p99 = percentile(busy, 0.99);
  return [
    {
      figure: "p99 of other requests during 50 concurrent sign-ins",
      ours: `${round(p99)} ms over ${busy.length} requests, p50 ${round(percentile(busy, 0.5))} ms`,
      peer: `idle p99 ${round(percentile(idle, 0.99))} ms, one hash ${round(hash)} ms`,
      target: `<= idle p99 + 1.5 hash = ${round(bound)} ms`,
      ok: p99 <= bound,
    },
  ];
}

async function farAway() {
  const worker = await startWorker({ entry: "test/bench/request-path/worker.ts" });
  const { token } = await person(worker);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const time = async (headers) => {
    const times = [];
    for (let count = 0; count < 60; count += 1)
      times.push(
        await callOnce(agent, `${worker.url}/v1/jobs`, {
          headers: { authorization: `Bearer ${token}`, ...headers },
          expect: 200,
        }),
      );
    return percentile(times, 0.5);
  };
  await time({});
  const near = await time({});
  const far = await time({ "x-bench-delay-ms": "80" });
  agent.destroy();
  await worker.stop();
  return [
    {
      figure: "authenticated read with 80 ms added to each object and database call, added p50",
      ours: `${round(far - near)} ms`,
      peer: `without the delay ${round(near)} ms`,
      target: "<= 90 ms",
      ok: far - near <= 90,
    },
  ];
}

async function run() {
  return [...(await readAgainstBare()), ...(await signInsBeside()), ...(await farAway())];
}

report(await run());
