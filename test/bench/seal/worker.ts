/**
 * The sealing library behind plain HTTP, for the benchmark: `POST /seal` answers the images of the body one after the
 * other (`sha256`: the file's hash where it is known, as it is in the product since the upload), `POST /open` the file of such a body, `POST /open-image` the bytes of one image that anybody encoded. It uses
 * one public test key and is never deployed.
 */
import { encodePngSlices } from "../../../src/lib/png/encode.ts";
import { decodePng } from "../../../src/lib/png/decode.ts";
import { releaseMemory } from "../../../src/lib/png/memory.ts";
import { createWholeHash } from "../../../src/lib/seal/hash.ts";
import { type SealShardInput, encryptShard, importDataKey, openShard } from "../../../src/lib/seal/v2.ts";
import { SHARD_BYTES, shardBytesOf, shardCountOf } from "../../../src/lib/seal/v2-header.ts";

const RGB_BYTES_MAX = 67_108_864;
/** Signature, IHDR, and the length and type of the only IDAT; after its data come its CRC and IEND. */
const PNG_START_BYTES = 41;
const PNG_END_BYTES = 16;
const SLICE_BYTES = 524_288;
/** A full shard's image has 8,401,6xx bytes. */
const PNG_BYTES_MAX = SHARD_BYTES + 65_536;

const range = (first: number, count: number) => Uint8Array.from({ length: count }, (_, index) => first + index);

export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (request.body === null) return new Response("a body is needed", { status: 400 });
    const dataKey = await importDataKey(range(0, 32));
    if (url.pathname === "/open-image") return openImage(request, { dataKey });
    const fileSizeBytes = Number(request.headers.get("content-length"));
    if (url.pathname === "/open") return respond(openShards(request.body, { dataKey }));
    const compress = url.searchParams.get("compress") === "true";
    const sha256 = url.searchParams.get("sha256") ?? undefined;
    return respond(sealShards(request.body, { dataKey, fileSizeBytes, compress, sha256 }));
  },
};

/** One item at a time: the next is made when the one before has been written, so that its memory can be used again. */
function respond(items: AsyncGenerator<Uint8Array>): Response {
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const { done, value } = await items.next();
    if (done === true) return controller.close();
    controller.enqueue(value);
  };
  return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
}

interface Reader {
  /** The next bytes, fewer than `sizeBytes` only at the end, valid until the next call. */
  read(sizeBytes: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Fills `memory` from its start; it is detached, the result has its successor. `onPiece` sees the pieces as they come. */
  fill(memory: Uint8Array<ArrayBuffer>, onPiece: (piece: Uint8Array) => void): Promise<Uint8Array<ArrayBuffer>>;
}

function createReader(body: ReadableStream<Uint8Array>): Reader {
  const reader = body.getReader({ mode: "byob" });
  let own = new ArrayBuffer(SLICE_BYTES);
  const readInto = async (view: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> => {
    const { value } = await reader.readAtLeast(view.byteLength, view);
    if (value === undefined) throw new Error("the body was read before");
    return value as Uint8Array<ArrayBuffer>;
  };
  return {
    async read(sizeBytes) {
      const piece = await readInto(new Uint8Array(own, 0, sizeBytes));
      own = piece.buffer;
      return piece;
    },
    async fill(memory, onPiece) {
      let { buffer } = memory;
      for (let done = 0; done < memory.byteLength;) {
        const piece = await readInto(new Uint8Array(buffer, done, Math.min(SLICE_BYTES, memory.byteLength - done)));
        onPiece(piece);
        buffer = piece.buffer;
        done += piece.byteLength;
      }
      return new Uint8Array(buffer);
    },
  };
}

/** workerd copies what a stream is given, so pieces that stay in the processor's cache cost less than a whole shard. */
function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.byteLength; start += SLICE_BYTES) yield bytes.subarray(start, start + SLICE_BYTES);
}

async function* sealShards(
  body: ReadableStream<Uint8Array>,
  file: Pick<SealShardInput, "dataKey" | "fileSizeBytes" | "compress"> & { sha256: string | undefined },
): AsyncGenerator<Uint8Array> {
  const knownHash = file.sha256 === undefined ? undefined : Uint8Array.fromHex(file.sha256);
  const hash = createWholeHash();
  const reader = createReader(body, knownHash === undefined ? (piece) => hash.update(piece) : () => undefined);
  const ids = { conversionId: range(0xa0, 16), keyId: range(0xb0, 16), noncePrefix: range(0xc0, 7) };
  const metadata = { createdAt: "2026-11-20T00:00:00.000Z", name: "tone.wav", type: "audio/wav" };
  const shardCount = shardCountOf(file.fileSizeBytes);
  const reuse = new Uint8Array(SLICE_BYTES + 1_024);
  let memory = new ArrayBuffer(SHARD_BYTES);
  for (let shardIndex = 0; shardIndex < shardCount; shardIndex++) {
    const bytes = await reader.fill(memory, { offset: 0, sizeBytes: shardBytesOf(file.fileSizeBytes, shardIndex) });
    memory = bytes.buffer;
    const first = shardIndex === 0 ? { metadata } : {};
    const last = shardIndex === shardCount - 1 ? { wholeHash: knownHash ?? hash.digest() } : {};
    const { parts, width, height } = await encryptShard({
      ...file,
      ...ids,
      ...first,
      ...last,
      shardIndex,
      shardCount,
      bytes,
    });
    yield* encodePngSlices({ parts, width, height, reuse });
    releaseMemory(parts[1]);
  }
}

async function openImage(request: Request, keys: { dataKey: CryptoKey }): Promise<Response> {
  const { rgb } = decodePng(new Uint8Array(await request.arrayBuffer()), { rgbBytesMax: RGB_BYTES_MAX });
  const { bytes } = await openShard({ ...keys, rgb });
  return new Response(bytes);
}

async function* openShards(body: ReadableStream<Uint8Array>, keys: { dataKey: CryptoKey }): AsyncGenerator<Uint8Array> {
  const hash = createWholeHash();
  const reader = createReader(body);
  const reuse = new Uint8Array(SHARD_BYTES + 65_536);
  for (;;) {
    const { rgb } = await decodePngStream(readImage(reader), { rgbBytesMax: RGB_BYTES_MAX, reuse });
    const opened = await openShard({ ...keys, rgb });
    for (const slice of slices(opened.bytes)) {
      hash.update(slice);
      yield slice;
    }
    releaseMemory(opened.bytes);
    if (opened.wholeHash === undefined) continue;
    if (hash.digest().some((byte, index) => byte !== opened.wholeHash?.[index])) throw new Error("hash-mismatch");
    return;
  }
}

/** The pieces of one image, whose length is told by its only IDAT. */
async function* readImage(reader: Reader): AsyncGenerator<Uint8Array> {
  const start = await reader.read(PNG_START_BYTES);
  let left = new DataView(start.buffer, start.byteOffset).getUint32(33) + PNG_END_BYTES;
  yield start;
  while (left > 0) {
    const piece = await reader.read(Math.min(SLICE_BYTES, left));
    if (piece.byteLength === 0) return;
    left -= piece.byteLength;
    yield piece;
  }
}
