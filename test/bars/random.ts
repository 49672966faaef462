/** Chance that a seed repeats: choices (mulberry32) and content (AES-CTR key streams). For tests only, never for secrets. */
import { createCipheriv, createHash } from "node:crypto";

export interface Chance {
  /** From 0 to below 1. */
  next(): number;
  /** A whole number between the two, both included. */
  between(least: number, most: number): number;
  pick<Item>(items: readonly Item[]): Item;
  shuffle<Item>(items: readonly Item[]): Item[];
}

export function makeChance(seed: number): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[between(0, items.length - 1)];
    if (item === undefined) throw new RangeError("Nothing to pick from.");
    return item;
  };
  const shuffle = <Item>(items: readonly Item[]): Item[] => {
    const left = [...items];
    const mixed: Item[] = [];
    while (left.length > 0) mixed.push(...left.splice(between(0, left.length - 1), 1));
    return mixed;
  };
  return { next, between, pick, shuffle };
}

export interface Sound {
  seed: number;
  sizeBytes: number;
  /** Repeats one block, so that compression has something to gain. */
  compressible: boolean;
}

const headerBytes = 44;
const blockBytes = 4_096;

/** A WAV file (16 kHz, mono, 16 bit) of exactly the given size whose samples follow from the seed. */
export function soundOf({ seed, sizeBytes, compressible }: Sound): Buffer<ArrayBuffer> {
  const wav = Buffer.alloc(sizeBytes);
  const noise = keyStream(seed, compressible ? blockBytes : sizeBytes - headerBytes);
  for (let at = headerBytes; at < sizeBytes; at += noise.length) noise.copy(wav, at);
  wav.write("RIFF", 0, "latin1");
  wav.writeUInt32LE(sizeBytes - 8, 4);
  wav.write("WAVEfmt ", 8, "latin1");
  for (const [at, value] of [
    [16, 16],
    [24, 16_000],
    [28, 32_000],
    [40, sizeBytes - headerBytes],
  ] as const)
    wav.writeUInt32LE(value, at);
  for (const [at, value] of [
    [20, 1],
    [22, 1],
    [32, 2],
    [34, 16],
  ] as const)
    wav.writeUInt16LE(value, at);
  wav.write("data", 36, "latin1");
  return wav;
}

function keyStream(seed: number, sizeBytes: number): Buffer {
  const key = createHash("sha256").update(`overtone bars ${seed}`).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
