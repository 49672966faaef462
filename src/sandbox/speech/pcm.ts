/** Hears WAV: finds the 20 ms blocks of a sample wherever they lie in the bytes, and what is silent. */
import type { Heard, Stretch } from "./heard.ts";
import { blockBytes, blockHash, pcmBytesPerSecond, rolledHash } from "./hashes.ts";
import { type Anchor, sampleTable } from "./table.ts";

interface Wave {
  tag: number;
  channels: number;
  bytesPerSecond: number;
  bitsPerSample: number;
  data: Uint8Array<ArrayBuffer>;
}

const pcmTag = 1;
const floatTag = 3;
const mostChunks = 1_000;
const bytesPerMs = pcmBytesPerSecond / 1_000;
/** How finely silence is told from sound. */
const windowMs = 20;
/** -40 dB of full scale. */
const quietPeak = 0.01;

/** Null: this is no WAV. */
export function hearWave(bytes: Uint8Array<ArrayBuffer>): Heard | null {
  const wave = readWave(bytes);
  if (!wave) return null;
  const durationMs = wave.bytesPerSecond === 0 ? 0 : (wave.data.length / wave.bytesPerSecond) * 1_000;
  const isAsSamples = wave.tag === pcmTag && wave.channels === 1 && wave.bitsPerSample === 16;
  const runs = isAsSamples && wave.bytesPerSecond === pcmBytesPerSecond ? runsOf(wave.data) : [];
  return { durationMs, stretches: stretchesOf(wave, runs, durationMs) };
}

/** What is missing at the end of a file that was cut short, or still being written, counts as not there. */
function readWave(bytes: Uint8Array<ArrayBuffer>): Wave | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const nameAt = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (!["RIFF", "RF64"].includes(nameAt(0)) || nameAt(8) !== "WAVE") return null;
  let format: Omit<Wave, "data"> | null = null;
  let at = 12;
  for (let chunk = 0; chunk < mostChunks && at + 8 <= bytes.length; chunk += 1) {
    const sizeBytes = view.getUint32(at + 4, true);
    const [name, from] = [nameAt(at), at + 8];
    if (name === "fmt " && from + 16 <= bytes.length) {
      format = {
        tag: view.getUint16(from, true),
        channels: view.getUint16(from + 2, true),
        bytesPerSecond: view.getUint32(from + 8, true),
        bitsPerSample: view.getUint16(from + 14, true),
      };
    }
    if (name === "data") return format && { ...format, data: bytes.subarray(from, from + sizeBytes) };
    at = from + sizeBytes + (sizeBytes % 2);
  }
  return null;
}

interface Run extends Anchor {
  /** Bytes of the data; `to` is behind the last. */
  from: number;
  to: number;
}

function runsOf(data: Uint8Array): Run[] {
  const known = sampleTable().get("pcm") ?? new Map<number, Anchor>();
  const runs: Run[] = [];
  let least = 0;
  let at = 0;
  while (at + blockBytes <= data.length) {
    const found = nextAnchor(data, at, known);
    if (!found) break;
    const run = grown(data, { ...found.anchor, from: found.at, to: found.at + blockBytes }, least);
    runs.push(run);
    at = least = run.to;
  }
  return runs;
}

function nextAnchor(data: Uint8Array, from: number, known: ReadonlyMap<number, Anchor>) {
  let hash = blockHash(data, from);
  for (let at = from; ; at += 1) {
    const anchor = known.get(hash);
    if (anchor) return { anchor, at };
    if (at + blockBytes >= data.length) return null;
    hash = rolledHash(hash, data[at] ?? 0, data[at + blockBytes] ?? 0);
  }
}

/** In whole blocks, as far as they are the sample's. */
function grown(data: Uint8Array, { track, ...run }: Run, least: number): Run {
  let { index, from, to } = run;
  const isTracks = (at: number, place: number) =>
    at >= least && at + blockBytes <= data.length && (blockHash(data, at) & 0xff) === track.checks[place];
  while (isTracks(to, index + (to - from) / blockBytes)) to += blockBytes;
  while (index > 0 && isTracks(from - blockBytes, index - 1)) {
    from -= blockBytes;
    index -= 1;
  }
  return { track, index, from, to };
}

interface Placed {
  run: Run;
  /** Bytes of the data, and of the sample. */
  from: number;
  to: number;
  sampleFrom: number;
}

/** Cuts do not keep to blocks: what is left of one before and after a run is the run's, too. */
function placed(runs: readonly Run[], sizeBytes: number): Placed[] {
  let least = 0;
  return runs.map((run, index) => {
    const next = runs[index + 1];
    const before = Math.min(run.from - least, run.index * blockBytes);
    const head = before <= blockBytes ? before : 0;
    const room = (next?.from ?? sizeBytes) - run.to;
    const isAtEnd = run.index + (run.to - run.from) / blockBytes >= run.track.checks.length;
    // A sample that goes on in the middle takes the rest of its own block; what lies before it is the last one's.
    const kept = next && !isAtEnd && next.index > 0 ? Math.max(room - blockBytes, 0) : room;
    const tail = Math.min(kept, blockBytes - 2);
    least = run.to + tail;
    const at = { from: run.from - head, sampleFrom: run.index * blockBytes - head };
    // Less than a block of its beginning is in the piece before, too little to be known there: the word is heard here.
    const isBegun = at.from === 0 && at.sampleFrom < blockBytes;
    return { run, to: least, from: isBegun ? -at.sampleFrom : at.from, sampleFrom: isBegun ? 0 : at.sampleFrom };
  });
}

function stretchesOf(wave: Wave, runs: readonly Run[], durationMs: number): Stretch[] {
  const stretches: Stretch[] = [];
  let doneMs = 0;
  for (const { run, from, to, sampleFrom } of placed(runs, wave.data.length)) {
    stretches.push(...unknownStretches(wave, doneMs, from / bytesPerMs));
    doneMs = to / bytesPerMs;
    stretches.push({
      kind: "sample",
      fromMs: from / bytesPerMs,
      toMs: doneMs,
      sampleFromMs: sampleFrom / bytesPerMs,
      sampleToMs: (sampleFrom + to - from) / bytesPerMs,
      words: run.track.words,
    });
  }
  stretches.push(...unknownStretches(wave, doneMs, durationMs));
  return stretches;
}

function unknownStretches(wave: Wave, fromMs: number, toMs: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (let at = fromMs; at < toMs; at += windowMs) {
    const end = Math.min(at + windowMs, toMs);
    const kind = isQuiet(wave, at, end) ? "silence" : "other";
    const last = stretches.at(-1);
    if (last?.kind === kind) last.toMs = end;
    else stretches.push({ kind, fromMs: at, toMs: end });
  }
  return stretches;
}

/** Formats that are not known here are never silent. */
function isQuiet({ data, bytesPerSecond, bitsPerSample, tag }: Wave, fromMs: number, toMs: number): boolean {
  const width = bitsPerSample / 8;
  const read = readers[`${tag === floatTag ? "f" : "i"}${bitsPerSample}`];
  if (!read || (tag !== pcmTag && tag !== floatTag && tag !== 0xfffe)) return false;
  const placeOf = (ms: number) => Math.floor((ms * bytesPerSecond) / 1_000 / width) * width;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = placeOf(fromMs); at + width <= Math.min(placeOf(toMs), data.length); at += width)
    if (Math.abs(read(view, at)) > quietPeak) return false;
  return true;
}

const readers: Record<string, (view: DataView, at: number) => number> = {
  i8: (view, at) => (view.getUint8(at) - 128) / 128,
  i16: (view, at) => view.getInt16(at, true) / 32_768,
  i24: (view, at) => view.getInt16(at + 1, true) / 32_768,
  i32: (view, at) => view.getInt32(at, true) / 2_147_483_648,
  f32: (view, at) => view.getFloat32(at, true),
};
