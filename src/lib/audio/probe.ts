/**
 * The facts of a recording by its own bytes: what it is, how long, what it carries. Hostile bytes end in a fault, within bounded reads:
 * one or two for WAV and FLAC, three for MP3 with an index frame (about twelve without one at constant bit rate), three to eight for
 * MP4, Ogg and WebM. What has no index (ADTS, MP3 of varying rate without one, WebM straight from a recorder) is read once, 4 MiB a read.
 */
import { adtsSyntax, indexAdts } from "#lib/audio/adts";
import { measureContainer, readContainer } from "#lib/audio/container";
import type { ContainerFacts } from "#lib/audio/container";
import { readFlac } from "#lib/audio/flac";
import { findAudioStart, findId3Cover } from "#lib/audio/id3";
import type { CoverRange } from "#lib/audio/id3";
import { indexMp3, readMp3 } from "#lib/audio/mp3";
import { readMp4 } from "#lib/audio/mp4-boxes";
import { cachedRanges, ReadBudgetError, textAt } from "#lib/audio/ranges";
import type { ByteRanges } from "#lib/audio/ranges";
import { readWav } from "#lib/audio/wav";
import { headBytesNeeded, isAdts, isFlac, isMp3, isMp4, isOggAudio, isQuickTime, isWav, isWebm } from "#lib/file-magic";
import type { MagicTest } from "#lib/file-magic";
import { fileTypes } from "#lib/file-type";

export interface MediaFacts {
  container: "wav" | "mp3" | "adts" | "mp4" | "ogg" | "webm" | "flac";
  /** null: only reading all of it would tell. */
  durationSeconds: number | null;
  audio: { codec: string; channels: number; sampleRateHz: number; bitsPerSample: number | null } | null;
  video: { codec: string; widthPixels: number; heightPixels: number; rotationDegrees: number } | null;
  isEncrypted: boolean;
  /** A picture that stands in the file as it is. */
  cover: CoverRange | null;
}

export type ProbeFault = "not-media" | "truncated" | "unsupported-codec" | "empty";
export type ProbeOutcome = { ok: true; facts: MediaFacts } | { ok: false; fault: ProbeFault; detail: string };
type Container = MediaFacts["container"];

const magic: [Container, MagicTest][] = [
  ["wav", isWav],
  ["flac", isFlac],
  ["ogg", isOggAudio],
  ["webm", isWebm],
  ["mp4", (head) => isMp4(head) || isQuickTime(head)],
  ["mp3", isMp3],
  ["adts", isAdts],
];

/** By the rows of the table of file types. */
const containerOfType: Record<string, Container> = {
  wav: "wav",
  mp3: "mp3",
  aac: "adts",
  m4a: "mp4",
  mp4: "mp4",
  mov: "mp4",
  ogg: "ogg",
  webm: "webm",
  "webm-audio": "webm",
  flac: "flac",
};

function declaredContainer(contentType: string): Container | null {
  const mime = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const type = fileTypes.find((row) => row.mime === mime || row.aliases.includes(mime));
  return (type && containerOfType[type.id]) ?? null;
}

const blockBytes = 65_536;
const fault = (kind: ProbeFault, detail: string): ProbeOutcome => ({ ok: false, fault: kind, detail });

/** @param contentType what the file was declared as; a type that is not of a recording declares nothing */
export async function probe(source: ByteRanges, contentType: string): Promise<ProbeOutcome> {
  if (source.sizeBytes === 0) return fault("empty", "the file has no bytes");
  const head = await source.read(0, headBytesNeeded);
  const container = magic.find(([, matches]) => matches(head))?.[0];
  if (!container) return unknownFile(source, head);
  const declared = declaredContainer(contentType);
  if (declared !== null && declared !== container)
    return fault("not-media", `the file is declared as ${declared} and holds ${container}`);
  const first: ByteRanges = {
    sizeBytes: source.sizeBytes,
    read: async (startByte, endByte) =>
      endByte <= head.length ? head.slice(Math.max(0, startByte), endByte) : source.read(startByte, endByte),
  };
  const cached = cachedRanges(first, { blockBytes, blocksMax: 64, readsMax: 64 });
  try {
    return await readers[container](cached, source);
  } catch (cause) {
    // The demuxer throws whatever it stumbles over.
    const detail = cause instanceof ReadBudgetError ? cause.message : "the file breaks the rules of its format";
    return fault("not-media", detail);
  }
}

/** A short file may be a tag whose sound never came. */
async function unknownFile(source: ByteRanges, head: Uint8Array): Promise<ProbeOutcome> {
  const isTagOnly = textAt(head, 0, 3) === "ID3" && (await findAudioStart(source)) >= source.sizeBytes;
  if (isTagOnly) return fault("truncated", "the file ends inside its tag");
  return fault("not-media", "the file does not begin like any recording");
}

type Reader = (cached: ByteRanges, source: ByteRanges) => Promise<ProbeOutcome>;

const readers: Record<Container, Reader> = {
  wav: (cached) => probeWav(cached),
  mp3: probeMp3,
  adts: probeAdts,
  flac: probeFlac,
  mp4: probeMp4,
  ogg: (cached, source) => probeContainer("ogg", cached, source),
  webm: (cached, source) => probeContainer("webm", cached, source),
};

const plain = { video: null, isEncrypted: false, cover: null };

async function probeWav(source: ByteRanges): Promise<ProbeOutcome> {
  const wav = await readWav(source);
  if (!wav.ok) return wav;
  const { layout } = wav;
  if (layout.isTruncated) return fault("truncated", "the file ends before the samples that its header counts");
  const frames = (layout.dataEndByte - layout.dataStartByte) / layout.frameBytes;
  return {
    ok: true,
    facts: {
      ...plain,
      container: "wav",
      durationSeconds: frames / layout.sampleRateHz,
      audio: {
        codec: layout.encoding.endsWith("law") ? layout.encoding : `pcm-${layout.encoding}`,
        channels: layout.channels,
        sampleRateHz: layout.sampleRateHz,
        bitsPerSample: (layout.frameBytes / layout.channels) * 8,
      },
    },
  };
}

async function probeMp3(cached: ByteRanges, source: ByteRanges): Promise<ProbeOutcome> {
  if ((await findAudioStart(cached)) >= cached.sizeBytes) return fault("truncated", "the file ends inside its tag");
  const layout = await readMp3(cached);
  if (!layout) return fault("not-media", "the file has no MPEG frame behind its tag");
  if (layout.isTruncated) return fault("truncated", "the file ends before the bytes that its index counts");
  const { header } = layout;
  const frames = layout.frames ?? (await indexMp3(source, layout))?.frames ?? 0;
  if (frames === 0) return fault("empty", "the file holds no sound");
  return {
    ok: true,
    facts: {
      ...plain,
      container: "mp3",
      durationSeconds: (frames * header.samples) / header.sampleRateHz,
      audio: {
        codec: "mp3",
        channels: header.channels,
        sampleRateHz: header.sampleRateHz,
        bitsPerSample: null,
      },
      cover: await findId3Cover(cached),
    },
  };
}

async function probeAdts(cached: ByteRanges, source: ByteRanges): Promise<ProbeOutcome> {
  const start = await findAudioStart(cached);
  const header = adtsSyntax.parse(await cached.read(start, start + adtsSyntax.headerBytes), 0);
  const index = await indexAdts(source);
  if (!header || !index) return fault("not-media", "the file has no frame of AAC");
  const { channels, sampleRateHz } = header;
  return {
    ok: true,
    facts: {
      ...plain,
      container: "adts",
      durationSeconds: index.frames * index.secondsPerFrame,
      audio: { codec: "aac", channels, sampleRateHz, bitsPerSample: null },
      cover: await findId3Cover(cached),
    },
  };
}

async function probeFlac(cached: ByteRanges, source: ByteRanges): Promise<ProbeOutcome> {
  const layout = await readFlac(cached);
  if (!layout) return fault("truncated", "the file ends before its sound begins");
  const { channels, sampleRateHz, bitsPerSample, samples, cover } = layout;
  return {
    ok: true,
    facts: {
      ...plain,
      container: "flac",
      durationSeconds: samples === null ? await measure(source) : samples / sampleRateHz,
      audio: { codec: "flac", channels, sampleRateHz, bitsPerSample },
      cover,
    },
  };
}

async function probeMp4(cached: ByteRanges, source: ByteRanges): Promise<ProbeOutcome> {
  const boxes = await readMp4(cached);
  if (!boxes.ok) return boxes;
  if (!boxes.layout.isEncrypted) {
    const found = await probeContainer("mp4", cached, source);
    return found.ok ? { ok: true, facts: { ...found.facts, ...boxes.layout } } : found;
  }
  // The demuxer stumbles over some ways to encrypt; that the file is encrypted is what there is to know.
  const found = await readContainer(cached).catch(() => ({ audio: null, video: null, durationSeconds: null }));
  return {
    ok: true,
    facts: { container: "mp4", durationSeconds: found.durationSeconds, ...tracksOf(found), ...boxes.layout },
  };
}

async function probeContainer(container: Container, cached: ByteRanges, source: ByteRanges): Promise<ProbeOutcome> {
  const found = await readContainer(cached);
  if (!found.audio && !found.video) return fault("empty", "the file has no track of sound or pictures");
  if (found.audio && found.audio.codec === null)
    return fault("unsupported-codec", "the sound is in a codec that is not read here");
  const durationSeconds = found.durationSeconds ?? (await measure(source));
  return { ok: true, facts: { ...plain, container, durationSeconds, ...tracksOf(found) } };
}

function tracksOf({ audio, video }: ContainerFacts): Pick<MediaFacts, "audio" | "video"> {
  return {
    audio: audio && { ...audio, codec: audio.codec ?? "unknown", bitsPerSample: null },
    video: video && { ...video, codec: video.codec ?? "unknown" },
  };
}

/** A few small reads where an index leads to the end, else once through the file; null when that is not enough. */
async function measure(source: ByteRanges): Promise<number | null> {
  try {
    return await measureContainer(cachedRanges(source, { blockBytes, blocksMax: 64, readsMax: 64 }), "none");
  } catch (cause) {
    if (!(cause instanceof ReadBudgetError)) throw cause;
  }
  const longBytes = 4 * 1024 * 1024;
  const readsMax = 16 + 2 * Math.ceil(source.sizeBytes / longBytes);
  try {
    return await measureContainer(cachedRanges(source, { blockBytes: longBytes, blocksMax: 2, readsMax }), "none");
  } catch (cause) {
    if (cause instanceof ReadBudgetError) return null;
    throw cause;
  }
}
