/**
 * Cuts a recording into files that a provider takes. A plan is plain JSON: with the plan and the ranges of the source any chunk can be
 * made again, alone and with the same sound in it. Holds one chunk at a time and decodes nothing.
 */
import { planAdts } from "#lib/audio/adts";
import { planRemux, remux, remuxed } from "#lib/audio/container";
import type { RemuxContainer } from "#lib/audio/container";
import { planMp3, readMp3 } from "#lib/audio/mp3";
import type { MediaFacts } from "#lib/audio/probe";
import { cachedRanges } from "#lib/audio/ranges";
import type { ByteRanges } from "#lib/audio/ranges";
import { planWav, readWav } from "#lib/audio/wav";

export interface ChunkPlan {
  index: number;
  /** In the time of the whole recording. */
  startSeconds: number;
  endSeconds: number;
  /** How much of its beginning the chunk before it holds too; 0 for the first. */
  overlapSeconds: number;
  contentType: string;
  fileExtension: string;
  /** Cut out of the source as it is (a header, base64, may go in front), or its packets copied into a new file. */
  how: { kind: "bytes"; header: string; startByte: number; endByte: number } | { kind: "remux" };
}

/** The overlap is cut down to a quarter of a chunk where it is longer. */
export interface SplitLimits {
  chunkBytesMax: number;
  chunkSecondsMax: number;
  overlapSeconds: number;
}

const whole: Record<MediaFacts["container"], { contentType: string; fileExtension: string }> = {
  wav: { contentType: "audio/wav", fileExtension: "wav" },
  mp3: { contentType: "audio/mpeg", fileExtension: "mp3" },
  adts: { contentType: "audio/aac", fileExtension: "aac" },
  ...remuxed,
};

/** The file itself, where it is small enough. A file with pictures is always cut down to its sound: nobody listens to pictures. */
function wholeFile(source: ByteRanges, facts: MediaFacts, limits: SplitLimits): ChunkPlan | null {
  const { durationSeconds, container } = facts;
  const isSmall = source.sizeBytes <= limits.chunkBytesMax && (durationSeconds ?? Infinity) <= limits.chunkSecondsMax;
  if (!isSmall || durationSeconds === null || facts.video !== null) return null;
  return {
    index: 0,
    startSeconds: 0,
    endSeconds: durationSeconds,
    overlapSeconds: 0,
    ...whole[container],
    how: { kind: "bytes", header: "", startByte: 0, endByte: source.sizeBytes },
  };
}

/** Empty when the file has no sound, or sound that cannot be read because it is encrypted. Throws on a file that its facts do not fit. */
export async function planChunks(source: ByteRanges, facts: MediaFacts, limits: SplitLimits): Promise<ChunkPlan[]> {
  if (facts.audio === null || facts.isEncrypted) return [];
  const one = wholeFile(source, facts, limits);
  if (one) return [one];
  const { container } = facts;
  if (container === "wav") return planWavFile(source, limits);
  if (container === "mp3") return planMp3File(source, limits);
  if (container === "adts") return planAdts(source, limits);
  return planRemux(source, container, limits);
}

const headerCache = { blockBytes: 65_536, blocksMax: 16, readsMax: 512 };

async function planWavFile(source: ByteRanges, limits: SplitLimits): Promise<ChunkPlan[]> {
  const wav = await readWav(cachedRanges(source, headerCache));
  if (!wav.ok) throw new RangeError(wav.detail);
  return planWav(source, wav.layout, limits);
}

async function planMp3File(source: ByteRanges, limits: SplitLimits): Promise<ChunkPlan[]> {
  const layout = await readMp3(cachedRanges(source, headerCache));
  if (!layout) throw new RangeError("the file has no MPEG frame");
  return planMp3(source, layout, limits);
}

function isRemuxContainer(name: string | undefined): name is RemuxContainer {
  return name !== undefined && name in remuxed;
}

/** A file of its own. One read for what is cut out as it is. */
export async function readChunk(source: ByteRanges, plan: ChunkPlan): Promise<Uint8Array<ArrayBuffer>> {
  if (plan.how.kind === "remux") {
    const container = Object.keys(remuxed).find(
      (name) => isRemuxContainer(name) && remuxed[name].contentType === plan.contentType,
    );
    if (!isRemuxContainer(container))
      throw new RangeError(`no chunk of ${plan.contentType} is made by copying packets`);
    return remux(source, container, plan);
  }
  const { header, startByte, endByte } = plan.how;
  const front = Uint8Array.fromBase64(header);
  const isOdd = front.length > 0 && ((endByte - startByte) & 1) === 1;
  // What stands in front of the samples is read with them and written over, which saves a copy of the chunk.
  const from = isOdd ? startByte : startByte - front.length;
  const bytes = await source.read(from, endByte);
  if (from < 0 || bytes.length !== endByte - from) throw new RangeError("the file ends inside the chunk");
  if (!isOdd) {
    bytes.set(front);
    return bytes;
  }
  // RIFF chunks are padded to an even length.
  const file = new Uint8Array(front.length + bytes.length + 1);
  file.set(front);
  file.set(bytes, front.length);
  return file;
}
