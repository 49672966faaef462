/**
 * The simulated recogniser. It hears what is in the bytes that it gets, and nothing else: the sample recordings by the hashes of their packets, also
 * when they are cut or put together; any other sound as numbered words, so that seams can be tried; silence as nothing.
 */
import { type HeardWord, wordsOf } from "./heard.ts";
import { hearPackets } from "./packets.ts";
import { hearWave } from "./pcm.ts";

export type { HeardWord } from "./heard.ts";

export interface Recognised {
  seconds: number;
  words: HeardWord[];
}

/** Null: these bytes are no recording. */
export async function recognise(bytes: Uint8Array<ArrayBuffer>): Promise<Recognised | null> {
  const heard = hearWave(bytes) ?? (await hearPackets(bytes));
  return heard && { seconds: Math.round(heard.durationMs) / 1_000, words: wordsOf(heard) };
}

/** For bytes that are no recording, where that does not matter: numbered words at 128 kbit/s. */
export function recogniseAnything(sizeBytes: number): Recognised {
  const durationMs = sizeBytes / bytesPerMs;
  return {
    seconds: durationMs / 1_000,
    words: wordsOf({ durationMs, stretches: [{ kind: "other", fromMs: 0, toMs: durationMs }] }),
  };
}

const bytesPerMs = 16;
