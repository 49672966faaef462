/** From storage to sealed storage by the real job, against a plain copy of the same object in the same workerd. */
import { randomFillSync } from "node:crypto";
import { percentile, startWorker } from "../start-worker.mjs";
import { report } from "../report.mjs";

const rounds = Number(process.env.ROUNDS ?? 7);
const sizeBytes = 94 * 1024 * 1024;

function recording() {
  const bytes = Buffer.alloc(sizeBytes);
  randomFillSync(bytes);
  bytes.write("RIFF", 0, "latin1");
  bytes.writeUInt32LE(sizeBytes - 8, 4);
  bytes.write("WAVEfmt ", 8, "latin1");
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(16_000, 24);
  bytes.writeUInt32LE(32_000, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(sizeBytes - 44, 40);
  return bytes;
}

async function run() {
  const worker = await startWorker({ entry: "test/bench/storage/worker.ts" });
  const json = async (path, { body, token, headers = {} } = {}) => {
    const isForm = body instanceof FormData;
    const answer = await fetch(worker.url + path, {
      method: body ? "POST" : "GET",
      headers: {
        ...(isForm || !body ? {} : { "content-type": "application/json" }),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      body: isForm || !body ? body : JSON.stringify(body),
    });
    const value = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${JSON.stringify(value)}`);
    return value;
  };
  const credentials = { email: "bench@example.com", password: "a long enough bench secret" };
  const { workspace } = await json("/v1/auth/register", { body: credentials });
  const database = await worker.miniflare.getD1Database("DB");
  await database
    .prepare("update workspaces set limit_overrides = ? where id = ?")
    .bind(JSON.stringify({ storageBytes: null, conversionsPerHour: null }), workspace.id)
    .run();
  const { access_token: token } = await json("/v1/auth/login", { body: credentials });
  const form = new FormData();
  form.set("compress", "false");
  form.set("audioFile", new File([recording()], "bench.wav", { type: "audio/wav" }));
  const wait = { prefer: "wait=30" };
  const first = await json("/v1/convert/audio-to-image", { body: form, token, headers: wait });
  const fileId = first.conversion.inputFileId;
  const times = { seal: [], copy: [] };
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now();
    const copied = await fetch(`${worker.url}/__bench/copy?size=${sizeBytes}`);
    if (!copied.ok) throw new Error(`copy: ${copied.status} ${await copied.text()}`);
    times.copy.push(performance.now() - startedAt);
    const sealed = await json("/v1/convert/audio-to-image", {
      body: { fileId, compress: false },
      token,
      headers: wait,
    });
    if (sealed.status !== "completed") throw new Error(`sealing is ${sealed.status}`);
    times.seal.push(sealed.conversion.durationMs);
    await fetch(`${worker.url}/v1/conversions/${sealed.conversionId}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}` },
    });
  }
  await worker.stop();
  const [seal, copy] = [percentile(times.seal, 0.5), percentile(times.copy, 0.5)];
  const ratio = seal / copy;
  return [
    {
      figure: "storage to sealed storage, 94 MiB, the whole job",
      ours: `${Math.round(seal)} ms`,
      peer: `plain copy of the object ${Math.round(copy)} ms`,
      ratio: Math.round(ratio * 100) / 100,
      target: "<= 1.15",
      ok: ratio <= 1.15,
    },
  ];
}

report(await run());
