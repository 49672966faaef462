/** Splits an object through ranges of the bucket, beside reading the same object once by ranges of the same size. */
import { planChunks, readChunk } from "../../../src/lib/audio/split.ts";
import { probe } from "../../../src/lib/audio/probe.ts";
import type { ByteRanges } from "../../../src/lib/audio/ranges.ts";

const chunkBytes = 16 * 1024 * 1024;

async function open(bucket: R2Bucket, key: string): Promise<ByteRanges> {
  const head = await bucket.head(key);
  if (!head) throw new Error(`no ${key}`);
  return {
    sizeBytes: head.size,
    async read(startByte, endByte) {
      const offset = Math.max(0, startByte);
      const length = Math.min(endByte, head.size) - offset;
      if (length <= 0) return new Uint8Array(0);
      const part = await bucket.get(key, { range: { offset, length } });
      if (!part) throw new Error(`no ${key}`);
      return new Uint8Array(await part.arrayBuffer());
    },
  };
}

async function readOnce(source: ByteRanges): Promise<Record<string, number>> {
  let bytes = 0;
  for (let from = 0; from < source.sizeBytes; from += chunkBytes)
    bytes += (await source.read(from, from + chunkBytes)).length;
  return { bytes };
}

async function split(source: ByteRanges): Promise<Record<string, number>> {
  const outcome = await probe(source, "");
  if (!outcome.ok) throw new Error(outcome.detail);
  const limits = { chunkBytesMax: chunkBytes, chunkSecondsMax: 1_390, overlapSeconds: 2 };
  const plans = await planChunks(source, outcome.facts, limits);
  let bytes = 0;
  for (const plan of plans) bytes += (await readChunk(source, plan)).length;
  return { bytes, chunks: plans.length };
}

export default {
  async fetch(request: Request, env: { FILES: R2Bucket }): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const key = searchParams.get("key") ?? "";
    if (request.method === "PUT") {
      await env.FILES.put(key, request.body);
      return new Response(null, { status: 204 });
    }
    const source = await open(env.FILES, key);
    return Response.json(pathname === "/split" ? await split(source) : await readOnce(source));
  },
};
