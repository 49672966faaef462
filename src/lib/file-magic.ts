/**
 * Tells formats by the first bytes of a file (64 KiB are enough). Looks only from offset 0, so a file with something put in front,
 * the usual shape of a polyglot, is not recognised. Never decodes media.
 */
import { Buffer } from "node:buffer";

/** Bytes from the start of a file that the tests below want to see; less is enough for a shorter file. */
export const headBytesNeeded = 65_536;

export type MagicTest = (head: Uint8Array) => boolean;

/** True when the ASCII text stands at the offset. */
function hasText(head: Uint8Array, offset: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (head[offset + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

function hasBytes(head: Uint8Array, ...bytes: number[]): boolean {
  return bytes.every((byte, index) => head[index] === byte);
}

function byteAt(head: Uint8Array, offset: number): number {
  return head[offset] ?? 0;
}

function uint32At(head: Uint8Array, offset: number): number {
  return (
    byteAt(head, offset) * 0x1000000 +
    ((byteAt(head, offset + 1) << 16) | (byteAt(head, offset + 2) << 8) | byteAt(head, offset + 3))
  );
}

export const isPng: MagicTest = (head) =>
  hasBytes(head, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a) && hasText(head, 12, "IHDR");
export const isJpeg: MagicTest = (head) => hasBytes(head, 0xff, 0xd8, 0xff);
export const isWebp: MagicTest = (head) => hasText(head, 0, "RIFF") && hasText(head, 8, "WEBP");
export const isGif: MagicTest = (head) => hasText(head, 0, "GIF87a") || hasText(head, 0, "GIF89a");
export const isTiff: MagicTest = (head) =>
  hasBytes(head, 0x49, 0x49, 0x2a, 0x00) || hasBytes(head, 0x4d, 0x4d, 0x00, 0x2a);
export const isPdf: MagicTest = (head) => hasText(head, 0, "%PDF-");
/** A first entry, or the end record of an archive without entries. */
export const isZip: MagicTest = (head) =>
  hasBytes(head, 0x50, 0x4b, 0x03, 0x04) || hasBytes(head, 0x50, 0x4b, 0x05, 0x06);
/** RF64 and BW64 are WAVE files above 4 GiB, which recorders also write for small ones. */
export const isWav: MagicTest = (head) =>
  ["RIFF", "RF64", "BW64"].some((tag) => hasText(head, 0, tag)) && hasText(head, 8, "WAVE");
/** The first metadata block of FLAC is always STREAMINFO, 34 bytes. */
export const isFlac: MagicTest = (head) =>
  hasText(head, 0, "fLaC") && (byteAt(head, 4) & 0x7f) === 0 && byteAt(head, 7) === 34;

/** Ogg with a sound codec in its first page; Theora and unknown codecs are refused. */
export const isOggAudio: MagicTest = (head) => {
  if (!hasText(head, 0, "OggS") || byteAt(head, 4) !== 0) return false;
  const packet = 27 + byteAt(head, 26);
  return ["OpusHead", "\u0001vorbis", "\u007fFLAC", "Speex   "].some((codec) => hasText(head, packet, codec));
};

/** Valid UTF-8 without NUL; a character cut by the end of the head is allowed. */
export const isPlainText: MagicTest = (head) => {
  if (head.includes(0)) return false;
  try {
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(head, { stream: head.length >= headBytesNeeded });
    return true;
  } catch {
    return false;
  }
};

/** Bytes of the ID3v2 tag in front, 0 when there is none, null when its header is malformed (ID3v2.4 section 3.1). */
function id3Length(head: Uint8Array): number | null {
  if (!hasText(head, 0, "ID3")) return 0;
  const size = head.subarray(6, 10);
  const isKnownVersion = [2, 3, 4].includes(byteAt(head, 3)) && (byteAt(head, 5) & 0x0f) === 0;
  if (size.length < 4 || size.some((byte) => byte > 0x7f) || !isKnownVersion) return null;
  const [first = 0, second = 0, third = 0, fourth = 0] = size;
  const footer = (byteAt(head, 5) & 0x10) === 0 ? 0 : 10;
  return 10 + ((first << 21) | (second << 14) | (third << 7) | fourth) + footer;
}

/** Where the audio behind an ID3v2 tag starts: taggers often leave zeros there. */
function audioStart(head: Uint8Array): number | null {
  let offset = id3Length(head);
  if (offset === null || offset === 0) return offset;
  while (offset < head.length && head[offset] === 0) offset += 1;
  return offset;
}

const lowKbps = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
/** By the two version bits: MPEG 2.5, reserved, MPEG 2, MPEG 1. `slots` is bytes times hertz per kbit/s and frame. */
const mp3Versions = [
  { kbps: lowKbps, hertz: [11_025, 12_000, 8_000], slots: 72_000 },
  null,
  { kbps: lowKbps, hertz: [22_050, 24_000, 16_000], slots: 72_000 },
  {
    kbps: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    hertz: [44_100, 48_000, 32_000],
    slots: 144_000,
  },
];

/** Bytes of the layer III frame at the offset: 0 for the free format, null when there is no such frame. */
function mp3FrameLength(head: Uint8Array, offset: number): number | null {
  const [sync = 0, second = 0, third = 0] = head.subarray(offset, offset + 3);
  const isLayer3 = sync === 0xff && (second & 0xe6) === 0xe2;
  const version = isLayer3 ? mp3Versions[(second >> 3) & 3] : null;
  const kbps = version?.kbps[third >> 4];
  const hertz = version?.hertz[(third >> 2) & 3];
  if (!version || kbps === undefined || hertz === undefined) return null;
  return kbps === 0 ? 0 : Math.floor((version.slots * kbps) / hertz) + ((third >> 1) & 1);
}

/** Two frames in a row where the head shows them; a tag longer than the head (cover art) is taken on its word. */
export const isMp3: MagicTest = (head) => {
  const start = audioStart(head);
  if (start === null) return false;
  if (start > 0 && start >= head.length) return head.length >= headBytesNeeded;
  const length = mp3FrameLength(head, start);
  if (length === null) return false;
  const next = start + length;
  return length === 0 || next + 3 > head.length || mp3FrameLength(head, next) !== null;
};

/** Bytes of the ADTS frame at the offset, or null. Layer bits 00 tell it from MP3. */
function adtsFrameLength(head: Uint8Array, offset: number): number | null {
  const [sync = 0, second = 0, third = 0, fourth = 0, fifth = 0, sixth = 0] = head.subarray(offset, offset + 6);
  if (sync !== 0xff || (second & 0xf6) !== 0xf0 || ((third >> 2) & 15) > 12) return null;
  const length = ((fourth & 3) << 11) | (fifth << 3) | (sixth >> 5);
  return length >= 7 ? length : null;
}

export const isAdts: MagicTest = (head) => {
  const start = audioStart(head);
  const length = start === null ? null : adtsFrameLength(head, start);
  if (start === null || length === null) return false;
  const next = start + length;
  return next + 6 > head.length || adtsFrameLength(head, next) !== null;
};

/** The major brand and the compatible ones of a `ftyp` box at offset 0 (ISO/IEC 14496-12), at most 64. */
function brandsOf(head: Uint8Array): string[] {
  if (!hasText(head, 4, "ftyp")) return [];
  const end = Math.min(uint32At(head, 0), head.length, 16 + 64 * 4);
  const brands: string[] = [];
  for (let offset = 8; offset + 4 <= end; offset += 4) {
    // Bytes 12 to 15 are the minor version.
    if (offset !== 12) brands.push(String.fromCharCode(...head.subarray(offset, offset + 4)));
  }
  return brands;
}

const mp4Brand =
  /^(iso[0-9a-z]|mp4[0-9]|avc[0-9]|hvc1|av01|M4[ABPV][ HP]?|dash|cmf[0-9a-z]|f4v |F4V |MSNV|mmp4|3g[gp2][0-9a-z]|NDS[A-Z])/;
/** HEIF and AVIF pictures name `isom`-like brands behind their own. */
const pictureBrand = /^(hei[cmsx]|hev[cmsx]|mif1|msf1|avi[fs]|crx |jp2 |jpx )/;

export const isMp4: MagicTest = (head) => {
  const [major = "", ...compatible] = brandsOf(head);
  if (pictureBrand.test(major) || major === "qt  ") return false;
  return [major, ...compatible].some((brand) => mp4Brand.test(brand));
};

/** QuickTime with its brand, or from before `ftyp` existed: then one of the classic atoms comes first. */
export const isQuickTime: MagicTest = (head) => {
  if (brandsOf(head).includes("qt  ")) return true;
  const size = uint32At(head, 0);
  return (size === 1 || size >= 8) && ["moov", "mdat", "wide", "free", "skip"].some((atom) => hasText(head, 4, atom));
};

/** An EBML number at the offset (RFC 8794 section 4): its value and how many bytes it takes, or null. */
function ebmlNumber(
  head: Uint8Array,
  offset: number,
  options: { keepMarker: boolean },
): { value: number; width: number } | null {
  const first = byteAt(head, offset);
  const width = Math.clz32(first) - 23;
  // Ids have at most 4 bytes, and no size in a document header needs more.
  if (first === 0 || width > 4 || offset + width > head.length) return null;
  let value = options.keepMarker ? first : first & (0xff >> width);
  for (let index = 1; index < width; index += 1) value = value * 256 + byteAt(head, offset + index);
  return { value, width };
}

/** An EBML header whose document type is `webm`; plain Matroska is refused. */
export const isWebm: MagicTest = (head) => {
  if (!hasBytes(head, 0x1a, 0x45, 0xdf, 0xa3)) return false;
  const header = ebmlNumber(head, 4, { keepMarker: false });
  if (header === null) return false;
  let offset = 4 + header.width;
  const end = Math.min(offset + header.value, head.length, 1_024);
  while (offset < end) {
    const id = ebmlNumber(head, offset, { keepMarker: true });
    const size = id && ebmlNumber(head, offset + id.width, { keepMarker: false });
    if (!id || !size) return false;
    const content = offset + id.width + size.width;
    if (id.value === 0x4282)
      return size.value >= 4 && hasText(head, content, "webm") && (size.value === 4 || byteAt(head, content + 4) === 0);
    offset = content + size.value;
  }
  return false;
};

/**
 * Whether a WebM or MP4 file holds a picture track, as far as its head shows; null when no track is described there.
 * A hint for files that nobody declared, not a proof.
 */
export function hasPictureTrack(head: Uint8Array): boolean | null {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, headBytesNeeded)).toString("latin1");
  // Matroska CodecID elements (86, then the size) and the handler type of an MP4 `hdlr` box.
  const codecs = [...text.matchAll(/\u0086[\u0080-\u00bf]([VA])_[A-Z0-9]|hdlr[^]{8}(vide|soun)/g)].slice(0, 64);
  if (codecs.length === 0) return null;
  return codecs.some(([, matroska, mp4]) => matroska === "V" || mp4 === "vide");
}
