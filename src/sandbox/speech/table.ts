/** What the recogniser knows by heart: the words of the sample recordings, and the hashes of their packets. */
import { sampleTracks, speeches } from "./samples.ts";

/** As scripts/speech-samples.ts writes it. */
export interface SampleTrack {
  speech: keyof typeof speeches;
  codec: "aac" | "flac" | "mp3" | "opus" | "pcm";
  /** Length of one packet. */
  unitMs: number;
  /** Every so many packets one is looked for; those between are compared with it as the start. */
  anchorEvery: number;
  anchors: string;
  checks: string;
}

export interface KnownWord {
  /** As it is written, with its punctuation. */
  text: string;
  startMs: number;
  endMs: number;
}

export interface Track {
  unitMs: number;
  words: readonly KnownWord[];
  /** Low bytes of the hashes of all packets. */
  checks: Uint8Array;
}

export interface Anchor {
  track: Track;
  index: number;
}

/** By codec, by hash. */
export type Table = ReadonlyMap<string, ReadonlyMap<number, Anchor>>;

/** A word is over when the next begins, and no word is longer. */
const longestWordMs = 800;

let made: Table | null = null;

/** Made at the first question, not at the start of the Worker. */
export function sampleTable(): Table {
  made ??= makeTable();
  return made;
}

function makeTable(): Table {
  const table = new Map<string, Map<number, Anchor>>();
  for (const { speech, codec, unitMs, anchorEvery, anchors, checks } of sampleTracks) {
    const track: Track = { unitMs, words: wordsOf(speeches[speech]), checks: Buffer.from(checks, "base64") };
    const known = table.get(codec) ?? new Map<number, Anchor>();
    table.set(codec, known);
    const hashes = Buffer.from(anchors, "base64");
    for (let place = 0; place < hashes.length / 4; place += 1) {
      const hash = hashes.readUInt32LE(place * 4);
      if (hash !== 0) known.set(hash, { track, index: place * anchorEvery });
    }
  }
  return table;
}

function wordsOf(speech: string): KnownWord[] {
  const parts = speech.split(" ");
  const starts = parts.flatMap((part, index) => (index % 2 === 1 ? [Number(part)] : []));
  return starts.map((startMs, index) => ({
    text: parts[index * 2] ?? "",
    startMs,
    endMs: Math.min(starts[index + 1] ?? Number.POSITIVE_INFINITY, startMs + longestWordMs),
  }));
}
