/** How long a recording may be, judged by its first bytes and its size: nobody has listened to it yet. */

export interface Recorded {
  head: Uint8Array;
  sizeBytes: number;
}

/** Speech is seldom kept at less than 32 kbit/s: what has no header of a fixed rate is taken to be no longer than that. */
const fewestBytesPerSecond = 4_000;
/** 128 kbit/s. */
const usualBytesPerSecond = 16_000;

/** Kbit/s of MPEG-1 layer III by the index in a frame's header (ISO 11172-3 2.4.2.3); 0: free or forbidden. */
const layer3Rates = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0];

interface Stated {
  bytesPerSecond: number;
  /** Before the sound. */
  headerBytes: number;
}

/** What a WAV says of itself, or the first frame of an MP3; null: another format, or a damaged one. */
function statedBy(head: Uint8Array): Stated | null {
  const latin = Buffer.from(head).toString("latin1");
  const format = latin.startsWith("RIFF") ? latin.indexOf("fmt ") : -1;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const rate = format > 0 && format + 20 <= head.byteLength ? view.getUint32(format + 16, true) : layer3Rate(view);
  const data = format > 0 ? latin.indexOf("data") : -1;
  return rate === 0 ? null : { bytesPerSecond: rate, headerBytes: data < 0 ? 0 : data + 8 };
}

function layer3Rate(view: DataView): number {
  const isLayer3 = view.byteLength > 4 && view.getUint16(0) >> 1 === 0x7ffd;
  return isLayer3 ? ((layer3Rates[view.getUint8(2) >> 4] ?? 0) * 1_000) / 8 : 0;
}

/** Seconds that it has at most, so that they can be set aside. */
export function secondsMax(recorded: Recorded): number {
  return Math.ceil(secondsAt(recorded, fewestBytesPerSecond));
}

/** For an answer that does not tell. */
export function secondsLikely(recorded: Recorded): number {
  return secondsAt(recorded, usualBytesPerSecond);
}

function secondsAt({ head, sizeBytes }: Recorded, elseBytesPerSecond: number): number {
  const { bytesPerSecond, headerBytes } = statedBy(head) ?? { bytesPerSecond: elseBytesPerSecond, headerBytes: 0 };
  return Math.max(sizeBytes - headerBytes, 0) / bytesPerSecond;
}
