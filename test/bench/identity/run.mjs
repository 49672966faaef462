/**
 * The check of a session and of an API key, side by side with better-auth's getSession and verifyApiKey on the same workerd and D1. Time
 * decides; CPU of the whole workerd is told beside it, for it means the same when something else runs on the machine.
 */
import { cpuMicroseconds, percentile, startWorker, workerdPid } from "../start-worker.mjs";
import { report } from "../report.mjs";

const rounds = Number(process.env.ROUNDS ?? 9);
const round = (value) => Math.round(value * 10) / 10;

async function send(url, path, { body, token }) {
  const answer = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function startOurs() {
  const worker = await startWorker({ entry: "test/bench/identity/worker.ts" });
  const credentials = { email: "bench@example.com", password: "a long enough bench secret" };
  await send(worker.url, "/v1/auth/register", { body: credentials });
  const { access_token: token } = await send(worker.url, "/v1/auth/login", { body: credentials });
  const body = { name: "bench", scopes: ["jobs:read", "api-keys:read"] };
  const { key } = await send(worker.url, "/v1/api-keys", { body, token });
  return { ...worker, token, key };
}

async function startPeer() {
  const worker = await startWorker({ entry: "test/bench/identity/peer.ts", bare: true });
  return { ...worker, ...(await send(worker.url, "/setup", { body: {} })) };
}

/** Microseconds a check by the clock and of CPU, with the request around the loop shared by all of them. */
async function measure({ url, pid }, { path, times, headers }) {
  const startedAt = performance.now();
  const cpuBefore = cpuMicroseconds(pid);
  const answer = await fetch(`${url}${path}${path.includes("?") ? "&" : "?"}times=${times}`, { headers });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  await answer.text();
  return {
    wall: ((performance.now() - startedAt) * 1_000) / times,
    cpu: (cpuMicroseconds(pid) - cpuBefore) / times,
  };
}

async function run() {
  const started = await startOurs();
  const ours = { ...started, pid: workerdPid() };
  const peer = { ...(await startPeer()), pid: workerdPid(ours.pid) };
  const bearer = (token) => ({ authorization: `Bearer ${token}` });
  const contenders = {
    "session cached": () => measure(ours, { path: "/__bench/check", times: 20_000, headers: bearer(ours.token) }),
    "session uncached": () =>
      measure(ours, { path: "/__bench/check?fresh=true", times: 300, headers: bearer(ours.token) }),
    "session peer": () => measure(peer, { path: "/session", times: 200, headers: bearer(peer.token) }),
    "key cached": () => measure(ours, { path: "/__bench/check", times: 20_000, headers: bearer(ours.key) }),
    "key uncached": () => measure(ours, { path: "/__bench/check?fresh=true", times: 300, headers: bearer(ours.key) }),
    "key peer": () => measure(peer, { path: "/key", times: 200, headers: { "x-api-key": peer.key } }),
  };
  const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let count = 0; count < rounds; count += 1)
    for (const [name, contend] of Object.entries(contenders)) times[name].push(await contend());
  await Promise.all([ours.stop(), peer.stop()]);
  const typical = (name, kind = "wall") =>
    percentile(
      times[name].map((each) => each[kind]),
      0.5,
    );
  const compare = (kind, { how, target, peerName }) => {
    const ratio = typical(`${kind} peer`) / typical(`${kind} ${how}`);
    return {
      figure: `check of ${kind === "key" ? "an API key" : "a session"}, ${how}`,
      ours: `${round(typical(`${kind} ${how}`))} us`,
      peer: `better-auth 1.7.5 ${peerName} ${round(typical(`${kind} peer`))} us`,
      ratio: round(ratio),
      cpu: `${round(typical(`${kind} ${how}`, "cpu"))} us, peer ${round(typical(`${kind} peer`, "cpu"))} us`,
      target: `>= ${target} times faster`,
      ok: ratio >= target,
    };
  };
  return [
    compare("session", { how: "uncached", target: 2, peerName: "getSession" }),
    compare("session", { how: "cached", target: 10, peerName: "getSession" }),
    compare("key", { how: "uncached", target: 2, peerName: "verifyApiKey" }),
    compare("key", { how: "cached", target: 10, peerName: "verifyApiKey" }),
  ];
}

report(await run());
