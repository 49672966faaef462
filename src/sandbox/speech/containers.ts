/** Takes recordings apart into the packets of their sound, as splitting copies them. Decodes nothing. */
import { CustomSource, EncodedPacketSink, FLAC, Input, MP4, OGG, QTFF, WEBM } from "#trimmed/mediabunny";
import { adtsSyntax } from "#lib/audio/adts";
import { findFrame, type FrameSyntax } from "#lib/audio/frames";
import { findAudioStart } from "#lib/audio/id3";
import { parseMp3Header } from "#lib/audio/mp3";
import { rangesOfBytes, textAt } from "#lib/audio/ranges";

export interface Packet {
  data: Uint8Array;
  startMs: number;
  endMs: number;
}

export interface Sound {
  codec: string;
  packets: Packet[];
}

/** 26 MB in packets of 60 bytes. */
const mostPackets = 500_000;
const mp3Syntax: FrameSyntax = { headerBytes: 4, parse: parseMp3Header };

/** Null: there is no sound in any container that is known here. */
export async function packetsOf(bytes: Uint8Array<ArrayBuffer>): Promise<Sound | null> {
  try {
    if (isContainer(bytes)) return await fromContainer(bytes);
    const from = await findAudioStart(rangesOfBytes(bytes));
    return (
      framesOf(bytes, from, { codec: "mp3", syntax: mp3Syntax }) ??
      framesOf(bytes, from, { codec: "aac", syntax: adtsSyntax })
    );
  } catch (error) {
    // What is wrong with a stranger's file is found out by reading it.
    if (error instanceof Error) return null;
    throw error;
  }
}

const isContainer = (bytes: Uint8Array) =>
  bytes.length >= 12 &&
  (textAt(bytes, 4, 4) === "ftyp" || ["OggS", "fLaC", "\u001AE\u00DF\u00A3"].includes(textAt(bytes, 0, 4)));

async function fromContainer(bytes: Uint8Array<ArrayBuffer>): Promise<Sound | null> {
  const input = new Input({
    formats: [MP4, QTFF, WEBM, OGG, FLAC],
    source: new CustomSource({
      getSize: () => bytes.length,
      read: (start, end) => bytes.subarray(start, end),
      maxCacheSize: bytes.length,
      prefetchProfile: "none",
    }),
  });
  try {
    const track = await input.getPrimaryAudioTrack();
    const codec = track ? await track.getCodec() : null;
    if (!track || codec === null) return null;
    const packets: Packet[] = [];
    let firstMs: number | null = null;
    for await (const { data, timestamp, duration } of new EncodedPacketSink(track).packets()) {
      // FLAC counts on from where it was cut, and encoders begin a little before nothing.
      firstMs ??= timestamp * 1_000;
      const startMs = timestamp * 1_000 - firstMs;
      packets.push({ data, startMs, endMs: startMs + duration * 1_000 });
      if (packets.length >= mostPackets) break;
    }
    return packets.length === 0 ? null : { codec, packets };
  } finally {
    input.dispose();
  }
}

interface Stream {
  codec: string;
  syntax: FrameSyntax;
}

function framesOf(bytes: Uint8Array, from: number, { codec, syntax }: Stream): Sound | null {
  const packets: Packet[] = [];
  let at = findFrame(syntax, bytes, from);
  let atMs = 0;
  while (at !== null && packets.length < mostPackets) {
    const header = syntax.parse(bytes, at);
    const data = bytes.subarray(at, at + (header?.lengthBytes ?? 0));
    if (!header || data.length < header.lengthBytes) {
      at = header ? null : findFrame(syntax, bytes, at + 1);
      continue;
    }
    const endMs = atMs + (header.samples * 1_000) / header.sampleRateHz;
    at += header.lengthBytes;
    // An encoder's own account of the file stands in the first frame, and is no sound.
    if (packets.length === 0 && /Xing|Info|VBRI/.test(textAt(data, 0, Math.min(data.length, 48)))) continue;
    packets.push({ data, startMs: atMs, endMs });
    atMs = endMs;
  }
  return packets.length === 0 ? null : { codec, packets };
}
