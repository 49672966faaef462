/**
 * MP4, Ogg, WebM and FLAC by mediabunny: facts, and chunks made by copying packets into a new file of the same kind. Decodes nothing, and
 * puts every hostile file behind a budget of reads.
 */
import {
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacket,
  EncodedPacketSink,
  FLAC,
  FlacOutputFormat,
  Input,
  CustomSource,
  Logging,
  LogLevel,
  MP4,
  Mp4OutputFormat,
  OGG,
  OggOutputFormat,
  Output,
  QTFF,
  WEBM,
  WebMOutputFormat,
} from "#trimmed/mediabunny";
import type { AudioCodec, InputAudioTrack } from "#trimmed/mediabunny";
import { refuseEndlessRuns } from "#lib/audio/mp4-boxes";
import type { ByteRanges } from "#lib/audio/ranges";
import type { ChunkPlan, SplitLimits } from "#lib/audio/split";

export type RemuxContainer = "mp4" | "ogg" | "webm" | "flac";

export interface Remuxed {
  contentType: string;
  fileExtension: string;
}

export const remuxed: Record<RemuxContainer, Remuxed> = {
  mp4: { contentType: "audio/mp4", fileExtension: "m4a" },
  ogg: { contentType: "audio/ogg", fileExtension: "ogg" },
  webm: { contentType: "audio/webm", fileExtension: "webm" },
  flac: { contentType: "audio/flac", fileExtension: "flac" },
};

const outputs = {
  mp4: () => new Mp4OutputFormat({ fastStart: "in-memory" }),
  ogg: () => new OggOutputFormat(),
  webm: () => new WebMOutputFormat(),
  flac: () => new FlacOutputFormat(),
};

// What it has to say about strange files is said by the outcome.
Logging.level = LogLevel.Silent;

/** Above the reader's own blocks; 4 MiB of it are for what is read ahead. */
const cacheBytes = 8 * 1024 * 1024;

export type ReadAhead = "network" | "none";

function openInput(source: ByteRanges, readAhead: ReadAhead): Input {
  const guarded = refuseEndlessRuns(source);
  return new Input({
    formats: [MP4, QTFF, OGG, WEBM, FLAC],
    source: new CustomSource({
      getSize: () => source.sizeBytes,
      read: (startByte, endByte) => guarded.read(startByte, endByte),
      maxCacheSize: cacheBytes,
      prefetchProfile: readAhead,
      // Read-ahead that fails fails again when its bytes are wanted.
      handleUnhandledError: () => undefined,
    }),
  });
}

async function withInput<T>(
  opened: { source: ByteRanges; readAhead: ReadAhead },
  use: (input: Input) => Promise<T>,
): Promise<T> {
  const input = openInput(opened.source, opened.readAhead);
  try {
    return await use(input);
  } finally {
    input.dispose();
  }
}

export interface ContainerFacts {
  audio: { codec: string | null; channels: number; sampleRateHz: number } | null;
  video: { codec: string | null; widthPixels: number; heightPixels: number; rotationDegrees: number } | null;
  durationSeconds: number | null;
}

/** What the header says, without the duration where the header has none. Throws on bytes that are no such file. */
export function readContainer(source: ByteRanges): Promise<ContainerFacts> {
  return withInput({ source, readAhead: "none" }, async (input) => {
    const [audio, video] = [await input.getPrimaryAudioTrack(), await input.getPrimaryVideoTrack()];
    const sound = audio && {
      codec: await audio.getCodec(),
      channels: await audio.getNumberOfChannels(),
      sampleRateHz: await audio.getSampleRate(),
    };
    const picture = video && {
      codec: await video.getCodec(),
      widthPixels: await video.getCodedWidth(),
      heightPixels: await video.getCodedHeight(),
      rotationDegrees: await video.getRotation(),
    };
    const durationSeconds = await input.getDurationFromMetadata();
    return { audio: sound, video: picture, durationSeconds: isLength(durationSeconds) ? durationSeconds : null };
  });
}

function isLength(seconds: number | null): seconds is number {
  return seconds !== null && Number.isFinite(seconds) && seconds > 0;
}

/** The duration by the last packet: cheap where there is an index or the last page tells it, else the whole file is read. */
export function measureContainer(source: ByteRanges, readAhead: ReadAhead): Promise<number | null> {
  return withInput({ source, readAhead }, async (input) => {
    const seconds = await input.computeDuration();
    return isLength(seconds) ? seconds : null;
  });
}

export interface SoundPacket {
  seconds: number;
  endSeconds: number;
  sizeBytes: number;
  /** Empty unless the bytes were asked for. */
  data: Uint8Array;
}

/** All packets of sound, in one pass; without their bytes, of MP4 only the tables are read. */
export function visitPackets(
  source: ByteRanges,
  options: { withBytes: boolean },
  visit: (packet: SoundPacket) => void,
): Promise<void> {
  return withInput({ source, readAhead: "network" }, async (input) => {
    const track = await input.getPrimaryAudioTrack();
    if (!track) return;
    const sink = new EncodedPacketSink(track);
    for await (const packet of sink.packets(undefined, undefined, { metadataOnly: !options.withBytes }))
      visit({
        seconds: Math.max(0, packet.timestamp),
        endSeconds: packet.timestamp + packet.duration,
        sizeBytes: packet.byteLength,
        data: packet.data,
      });
  });
}

/** What a packet costs in a container beside its bytes, at most, and what a header takes. */
const packetOverheadBytes = 16;
const headerAllowanceBytes = 65_536;

interface Held {
  seconds: number;
  endSeconds: number;
  sizeBytes: number;
}

/** Walks the packets once; of MP4 only the tables are read. A chunk begins with the packet that its start names. */
export function planRemux(source: ByteRanges, container: RemuxContainer, limits: SplitLimits): Promise<ChunkPlan[]> {
  return withInput({ source, readAhead: "network" }, async (input) => {
    const track = await input.getPrimaryAudioTrack();
    if (!track) return [];
    const budgetBytes = Math.max(1, limits.chunkBytesMax - headerAllowanceBytes);
    const plans: ChunkPlan[] = [];
    let held: Held[] = [];
    let [heldBytes, doneSeconds] = [0, 0];
    const cut = () => {
      const [first, last] = [held[0], held.at(-1)];
      if (!first || !last) return;
      plans.push({
        index: plans.length,
        startSeconds: first.seconds,
        endSeconds: last.endSeconds,
        overlapSeconds: plans.length === 0 ? 0 : doneSeconds - first.seconds,
        ...remuxed[container],
        how: { kind: "remux" },
      });
      doneSeconds = last.endSeconds;
      const from = doneSeconds - Math.min(limits.overlapSeconds, limits.chunkSecondsMax / 4);
      // At least one packet less than before, or nothing would move on.
      held = held.slice(1).filter((packet) => packet.seconds >= from - timeSlack);
      heldBytes = held.reduce((sum, packet) => sum + packet.sizeBytes, 0);
    };
    for await (const packet of new EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: true })) {
      // Encoders put the lead-in of AAC before zero.
      const seconds = Math.max(0, packet.timestamp);
      const entry = {
        seconds,
        endSeconds: packet.timestamp + packet.duration,
        sizeBytes: packet.byteLength + packetOverheadBytes,
      };
      const isFull =
        heldBytes + entry.sizeBytes > budgetBytes ||
        entry.endSeconds - (held[0]?.seconds ?? entry.seconds) > limits.chunkSecondsMax;
      if (isFull && held.length > 0) cut();
      held.push(entry);
      heldBytes += entry.sizeBytes;
    }
    if ((held.at(-1)?.endSeconds ?? 0) > doneSeconds) cut();
    return plans;
  });
}

/** Times are sums of floating numbers. */
const timeSlack = 1e-6;

async function addPackets(track: InputAudioTrack, out: EncodedAudioPacketSource, plan: ChunkPlan): Promise<void> {
  const sink = new EncodedPacketSink(track);
  const isFirst = plan.startSeconds <= timeSlack;
  const start = isFirst ? await sink.getFirstPacket() : await sink.getPacket(plan.startSeconds + timeSlack);
  const decoderConfig = await track.getDecoderConfig();
  if (!start || !decoderConfig) throw new RangeError("the file has no packet where its plan begins");
  let meta: { decoderConfig: AudioDecoderConfig } | undefined = { decoderConfig };
  for await (const packet of sink.packets(start)) {
    if (packet.timestamp >= plan.endSeconds - timeSlack) break;
    const seconds = Math.max(0, packet.timestamp - start.timestamp);
    await out.add(
      new EncodedPacket(packet.data, packet.type, seconds, packet.duration, undefined, undefined, packet.sideData),
      meta,
    );
    meta = undefined;
  }
}

/** A file of its own with the packets of the plan, from time zero. Holds the chunk, and 8 MiB of what it is read from. */
export function remux(
  source: ByteRanges,
  container: RemuxContainer,
  plan: ChunkPlan,
): Promise<Uint8Array<ArrayBuffer>> {
  return withInput({ source, readAhead: "network" }, async (input) => {
    const track = await input.getPrimaryAudioTrack();
    const codec: AudioCodec | null | undefined = await track?.getCodec();
    if (!track || !codec) throw new RangeError("the file has no sound that can be copied");
    const target = new BufferTarget();
    const output = new Output({ format: outputs[container](), target });
    const out = new EncodedAudioPacketSource(codec);
    output.addAudioTrack(out);
    await output.start();
    await addPackets(track, out, plan);
    await output.finalize();
    if (!target.buffer) throw new RangeError("nothing was written");
    return new Uint8Array(target.buffer);
  });
}
