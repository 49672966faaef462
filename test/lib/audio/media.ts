/** The recordings that the tests of audio code read, and sources that count what is asked of them. */
import { rangesOfBytes } from "#lib/audio/ranges";
import type { ByteRanges } from "#lib/audio/ranges";
import alac from "../../fixtures/media/alac.m4a?inline";
import coverFlac from "../../fixtures/media/cover.flac?inline";
import coverM4a from "../../fixtures/media/cover.m4a?inline";
import coverMp3 from "../../fixtures/media/cover.mp3?inline";
import coverPng from "../../fixtures/media/cover.png?inline";
import encrypted from "../../fixtures/media/encrypted.mp4?inline";
import fragmented from "../../fixtures/media/fragmented.mp4?inline";
import recorder from "../../fixtures/media/recorder.webm?inline";
import silentFilm from "../../fixtures/media/silent-film.mov?inline";
import vbr from "../../fixtures/media/vbr.mp3?inline";
import clip from "../../fixtures/samples/clip.mp4?inline";
import aac from "../../fixtures/samples/interview.aac?inline";
import flac from "../../fixtures/samples/interview.flac?inline";
import m4a from "../../fixtures/samples/interview.m4a?inline";
import mp3 from "../../fixtures/samples/interview.mp3?inline";
import ogg from "../../fixtures/samples/interview.ogg?inline";
import webm from "../../fixtures/samples/interview.webm?inline";

const files = {
  "alac.m4a": alac,
  "clip.mp4": clip,
  "cover.flac": coverFlac,
  "cover.m4a": coverM4a,
  "cover.mp3": coverMp3,
  "cover.png": coverPng,
  "encrypted.mp4": encrypted,
  "fragmented.mp4": fragmented,
  "interview.aac": aac,
  "interview.flac": flac,
  "interview.m4a": m4a,
  "interview.mp3": mp3,
  "interview.ogg": ogg,
  "interview.webm": webm,
  "recorder.webm": recorder,
  "silent-film.mov": silentFilm,
  "vbr.mp3": vbr,
};

export function media(name: keyof typeof files): Uint8Array<ArrayBuffer> {
  const url = files[name];
  return Uint8Array.fromBase64(url.slice(url.indexOf(",") + 1));
}

export interface Counted extends ByteRanges {
  reads: number;
  bytesRead: number;
}

/** @param sizeBytes larger than the bytes: the rest reads as zeros, so huge files cost no memory */
export function counted(bytes: Uint8Array, sizeBytes = bytes.length): Counted {
  const inner = rangesOfBytes(bytes);
  const source: Counted = {
    sizeBytes,
    reads: 0,
    bytesRead: 0,
    async read(startByte, endByte) {
      const start = Math.max(0, startByte);
      const lengthBytes = Math.max(0, Math.min(endByte, sizeBytes) - start);
      source.reads += 1;
      source.bytesRead += lengthBytes;
      const part = await inner.read(start, start + lengthBytes);
      if (part.length === lengthBytes) return part;
      const padded = new Uint8Array(lengthBytes);
      padded.set(part);
      return padded;
    },
  };
  return source;
}

export interface WavShape {
  tag?: number;
  bits?: number;
  channels?: number;
  sampleRateHz?: number;
  data: Uint8Array;
  /** What the header says of the data. */
  declaredBytes?: number;
  isExtensible?: boolean;
  isLong?: boolean;
  /** A chunk of odd length in front of the samples. */
  hasNote?: boolean;
}

const letters = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

function numbers(...values: [value: number, widthBytes: 2 | 4 | 8][]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((sum, [, width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const [value, width] of values) {
    if (width === 2) view.setUint16(offset, value, true);
    else if (width === 4) view.setUint32(offset, value, true);
    else view.setBigUint64(offset, BigInt(value), true);
    offset += width;
  }
  return bytes;
}

function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

export { join as joinBytes };

export function makeWav(shape: WavShape): Uint8Array<ArrayBuffer> {
  const { tag = 1, bits = 16, channels = 1, sampleRateHz = 8_000, data } = shape;
  const { declaredBytes = data.length, isExtensible = false, isLong = false } = shape;
  const frameBytes = (channels * bits) / 8;
  const plain = numbers(
    [isExtensible ? 0xfffe : tag, 2],
    [channels, 2],
    [sampleRateHz, 4],
    [sampleRateHz * frameBytes, 4],
    [frameBytes, 2],
    [bits, 2],
  );
  const guid = Uint8Array.fromHex("000000001000800000aa00389b71").subarray(2);
  const extension = isExtensible
    ? join(numbers([22, 2], [bits, 2], [0, 4], [tag, 2]), numbers([0, 2]), guid)
    : numbers();
  const format = join(plain, extension);
  const long = join(letters("ds64"), numbers([28, 4], [0, 8], [declaredBytes, 8], [0, 8], [0, 4]));
  return join(
    letters(isLong ? "RF64" : "RIFF"),
    numbers([0xffffffff, 4]),
    letters("WAVE"),
    isLong ? long : numbers(),
    shape.hasNote ? join(letters("LIST"), numbers([3, 4]), letters("abc\0")) : numbers(),
    letters("fmt "),
    numbers([format.length, 4]),
    format,
    letters("data"),
    numbers([isLong ? 0xffffffff : declaredBytes, 4]),
    data,
  );
}
