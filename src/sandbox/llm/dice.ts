/** Chance that is a function of its seed: the same request is answered alike for ever. No secret may come from here. */
import { createHash } from "node:crypto";

export interface Dice {
  /** From 0 to 2^32 - 1. */
  next(): number;
  /** From 0 to `limit` - 1. */
  below(limit: number): number;
}

/** Lower-case hex of 64 digits. */
export function hashOf(text: string | Uint8Array): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Mulberry32, seeded by the first 32 bits of the text's hash. */
export function diceOf(seed: string): Dice {
  let state = Number.parseInt(hashOf(seed).slice(0, 8), 16);
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return { next, below: (limit) => next() % limit };
}

const words = (
  "amber basin cedar delta ember fjord grove harbor island juniper kettle lantern meadow north orchard pebble quarry river " +
  "saddle timber upland valley willow yonder anchor bridge candle dune echo feather glacier hollow"
).split(" ");

export function wordFrom(dice: Dice): string {
  return words[dice.below(words.length)] ?? "";
}

/** Plain ASCII that says where it comes from, with exactly this many tokens. */
export function sandboxText(dice: Dice, tokens: number): string {
  const lengthBytes = tokens * 4;
  const pieces = ["Sandbox answer:"];
  let length = pieces[0]?.length ?? 0;
  while (length < lengthBytes) {
    const word = wordFrom(dice);
    pieces.push(word);
    length += word.length + 1;
  }
  return pieces.join(" ").slice(0, lengthBytes);
}
