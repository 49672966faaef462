/** Cuts pieces out of compressed recordings and puts them together, by copying packets. */
import {
  BufferTarget,
  CustomSource,
  EncodedAudioPacketSource,
  type EncodedPacket,
  EncodedPacketSink,
  FLAC,
  FlacOutputFormat,
  Input,
  MP4,
  Mp4OutputFormat,
  OGG,
  OggOutputFormat,
  Output,
  WEBM,
  WebMOutputFormat,
} from "#trimmed/mediabunny";
import { packetsOf } from "#sandbox/speech/containers";

const formats = {
  flac: () => new FlacOutputFormat(),
  m4a: () => new Mp4OutputFormat(),
  mp4: () => new Mp4OutputFormat(),
  ogg: () => new OggOutputFormat(),
  webm: () => new WebMOutputFormat(),
};

type Container = keyof typeof formats;
export type Extension = Container | "aac" | "mp3";

export interface Opened {
  /** Of one recording. */
  count: number;
  unitMs: number;
  /** A file of the same kind with these packets of the recording, where numbers go on after its end with its beginning. */
  write(from: number, to: number): Promise<Uint8Array<ArrayBuffer>>;
}

export async function opened(bytes: Uint8Array<ArrayBuffer>, extension: Extension): Promise<Opened> {
  return extension === "aac" || extension === "mp3" ? openedFrames(bytes) : openedContainer(bytes, extension);
}

const rangeOf = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

async function openedFrames(bytes: Uint8Array<ArrayBuffer>): Promise<Opened> {
  const { packets } = (await packetsOf(bytes)) ?? { packets: [] };
  const count = packets.length;
  return {
    count,
    unitMs: packets[0]?.endMs ?? 0,
    write: async (from, to) =>
      Uint8Array.from(
        Buffer.concat(rangeOf(from, to).map((place) => packets[place % count]?.data ?? new Uint8Array())),
      ),
  };
}

async function openedContainer(bytes: Uint8Array<ArrayBuffer>, extension: Container): Promise<Opened> {
  const source = new CustomSource({ getSize: () => bytes.length, read: (start, end) => bytes.subarray(start, end) });
  const input = new Input({ formats: [MP4, OGG, WEBM, FLAC], source });
  const track = await input.getPrimaryAudioTrack();
  const codec = await track?.getCodec();
  const decoderConfig = await track?.getDecoderConfig();
  if (!track || !codec || !decoderConfig) throw new Error("no sound");
  const packets: EncodedPacket[] = [];
  for await (const packet of new EncodedPacketSink(track).packets()) packets.push(packet);
  const unit = packets[1]?.duration ?? 0;
  return {
    count: packets.length,
    unitMs: unit * 1_000,
    async write(from, to) {
      const target = new BufferTarget();
      const output = new Output({ format: formats[extension](), target });
      const sink = new EncodedAudioPacketSource(codec);
      output.addAudioTrack(sink);
      await output.start();
      for (const [index, place] of rangeOf(from, to).entries()) {
        const packet = packets[place % packets.length];
        await sink.add(packet?.clone({ timestamp: index * unit, duration: unit }) as EncodedPacket, { decoderConfig });
      }
      await output.finalize();
      return new Uint8Array(target.buffer ?? new ArrayBuffer(0));
    },
  };
}
