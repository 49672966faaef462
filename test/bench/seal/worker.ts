/**
 * The sealing library behind plain HTTP, for the benchmark. `POST /seal` answers the images of the body one after the other
 * (`compress`; `sha256`: the file's hash where it is known, as it is in the product since the upload), `POST /open` the file
 * of such a body, `POST /open-image` the bytes of one image that anybody encoded. `POST /hold` keeps the body in memory for
 * `POST /seal-held` and `POST /open-held`, which throw their results away; `POST /pass` answers the body and does nothing
 * else, which is what transport alone takes. One public test key; never deployed.
 */
import { decodePng } from "../../../src/lib/png/decode.ts";
import { decodePngStream } from "../../../src/lib/png/decode-stream.ts";
import { encodePngSlices } from "../../../src/lib/png/encode.ts";
import { releaseMemory } from "../../../src/lib/png/memory.ts";
import { createWholeHash } from "../../../src/lib/seal/hash.ts";
import { encryptShard, importDataKey, openShard } from "../../../src/lib/seal/v2.ts";
import { SHARD_BYTES, shardBytesOf, shardCountOf } from "../../../src/lib/seal/v2-header.ts";

const RGB_BYTES_MAX = 67_108_864;
/** Signature, IHDR, and the length and type of the only IDAT; after its data come its CRC and IEND. */
const PNG_START_BYTES = 41;
const PNG_END_BYTES = 16;
/** Pieces that stay in the processor's cache: workerd copies what it reads and writes several times. */
const SLICE_BYTES = 524_288;

const range = (first: number, count: number) => Uint8Array.from({ length: count }, (_, index) => first + index);
const ids = { conversionId: range(0xa0, 16), keyId: range(0xb0, 16), noncePrefix: range(0xc0, 7) };
const metadata = { createdAt: "2026-11-20T00:00:00.000Z", name: "tone.wav", type: "audio/wav" };

let held = new Uint8Array(0);

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const dataKey = await importDataKey(range(0, 32));
    const sha256 = searchParams.get("sha256");
    if (pathname === "/seal-held") {
      return drain(sealShards(heldReader(), { dataKey, fileSizeBytes: held.byteLength, compress: false, sha256 }));
    }
    if (pathname === "/open-held") return drain(openShards(heldReader(), dataKey));
    if (request.body === null) return new Response("a body is needed", { status: 400 });
    if (pathname === "/hold") return hold(request);
    if (pathname === "/open-image") return openImage(request, dataKey);
    const reader = createReader(request.body);
    if (pathname === "/pass") return respond(passPieces(reader));
    if (pathname === "/open") return respond(openShards(reader, dataKey));
    const fileSizeBytes = Number(request.headers.get("content-length"));
    const compress = searchParams.get("compress") === "true";
    return respond(sealShards(reader, { dataKey, fileSizeBytes, compress, sha256 }));
  },
};

async function hold(request: Request): Promise<Response> {
  held = new Uint8Array(await request.arrayBuffer());
  return new Response(String(held.byteLength));
}

async function drain(pieces: AsyncGenerator<Uint8Array>): Promise<Response> {
  let sizeBytes = 0;
  for await (const piece of pieces) sizeBytes += piece.byteLength;
  return new Response(String(sizeBytes));
}

/** One piece at a time: the next is made when the one before has been written, so that its memory can be used again. */
function respond(pieces: AsyncGenerator<Uint8Array>): Response {
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const { done, value } = await pieces.next();
    if (done === true) return controller.close();
    controller.enqueue(value);
  };
  return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
}

interface Reader {
  /** The next bytes, fewer than `sizeBytes` only at the end, valid until the next call. */
  read(sizeBytes: number): Promise<Uint8Array<ArrayBuffer>>;
  /** The next bytes in `memory`, which is detached: the result has its successor. `onPiece` sees them as they come. */
  fill(memory: ArrayBuffer, sizeBytes: number, onPiece: (piece: Uint8Array) => void): Promise<Uint8Array<ArrayBuffer>>;
}

function createReader(body: ReadableStream<Uint8Array>): Reader {
  const reader = body.getReader({ mode: "byob" });
  const readInto = async (view: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> => {
    const { value } = await reader.readAtLeast(view.byteLength, view);
    if (value === undefined) throw new Error("the body was read before");
    return value as Uint8Array<ArrayBuffer>;
  };
  let own = new ArrayBuffer(SLICE_BYTES);
  return {
    async read(sizeBytes) {
      const piece = await readInto(new Uint8Array(own, 0, sizeBytes));
      own = piece.buffer;
      return piece;
    },
    async fill(memory, sizeBytes, onPiece) {
      let successor = memory;
      for (let done = 0; done < sizeBytes;) {
        const piece = await readInto(new Uint8Array(successor, done, Math.min(SLICE_BYTES, sizeBytes - done)));
        if (piece.byteLength === 0) throw new Error("the body is too short");
        onPiece(piece);
        successor = piece.buffer;
        done += piece.byteLength;
      }
      return new Uint8Array(successor, 0, sizeBytes);
    },
  };
}

/** The held bytes, not copied. */
function heldReader(): Reader {
  let offset = 0;
  const read = async (sizeBytes: number): Promise<Uint8Array<ArrayBuffer>> => {
    const piece = held.subarray(offset, offset + sizeBytes);
    offset += piece.byteLength;
    return piece;
  };
  return {
    read,
    async fill(_memory, sizeBytes, onPiece) {
      const bytes = await read(sizeBytes);
      onPiece(bytes);
      return bytes;
    },
  };
}

async function* passPieces(reader: Reader): AsyncGenerator<Uint8Array> {
  for (;;) {
    const piece = await reader.read(SLICE_BYTES);
    if (piece.byteLength === 0) return;
    yield piece;
  }
}

async function* sealShards(
  reader: Reader,
  file: { dataKey: CryptoKey; fileSizeBytes: number; compress: boolean; sha256: string | null },
): AsyncGenerator<Uint8Array> {
  const { sha256, fileSizeBytes } = file;
  const hash = createWholeHash();
  const onPiece = sha256 === null ? (piece: Uint8Array) => hash.update(piece) : () => undefined;
  const shardCount = shardCountOf(fileSizeBytes);
  const reuse = new Uint8Array(SLICE_BYTES + 1_024);
  let memory = new ArrayBuffer(SHARD_BYTES);
  for (let shardIndex = 0; shardIndex < shardCount; shardIndex++) {
    const bytes = await reader.fill(memory, shardBytesOf(fileSizeBytes, shardIndex), onPiece);
    memory = bytes.buffer;
    const isLast = shardIndex === shardCount - 1;
    const { parts, width, height } = await encryptShard({
      ...file,
      ...ids,
      shardIndex,
      shardCount,
      bytes,
      metadata: shardIndex === 0 ? metadata : undefined,
      wholeHash: isLast ? (sha256 === null ? hash.digest() : Uint8Array.fromHex(sha256)) : undefined,
    });
    yield* encodePngSlices({ parts, width, height, reuse });
    releaseMemory(parts[1]);
  }
}

async function* openShards(reader: Reader, dataKey: CryptoKey): AsyncGenerator<Uint8Array> {
  const hash = createWholeHash();
  const reuse = new Uint8Array(SHARD_BYTES + 65_536);
  for (;;) {
    const { rgb } = await decodePngStream(readImage(reader), { rgbBytesMax: RGB_BYTES_MAX, reuse });
    const { bytes, wholeHash } = await openShard({ dataKey, rgb });
    for (let start = 0; start < bytes.byteLength; start += SLICE_BYTES) {
      const slice = bytes.subarray(start, start + SLICE_BYTES);
      hash.update(slice);
      yield slice;
    }
    releaseMemory(bytes);
    if (wholeHash === undefined) continue;
    if (hash.digest().some((byte, index) => byte !== wholeHash[index])) throw new Error("hash-mismatch");
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

async function openImage(request: Request, dataKey: CryptoKey): Promise<Response> {
  const { rgb } = decodePng(new Uint8Array(await request.arrayBuffer()), { rgbBytesMax: RGB_BYTES_MAX });
  const { bytes } = await openShard({ dataKey, rgb });
  return new Response(bytes);
}
