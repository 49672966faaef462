/**
 * Makes src/sandbox/speech/samples.ts from test/fixtures/briefing.wav and the recordings in test/fixtures/samples: what is said when, and by which packets a recording is known.
 * `--check` writes nothing and fails when the file is not what the samples say.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { packetsOf } from "../src/sandbox/speech/containers.ts";
import { blockBytes, blockHash, packetHash } from "../src/sandbox/speech/hashes.ts";

const folder = "test/fixtures/samples/";
const target = "src/sandbox/speech/samples.ts";

/** The sentences as they are written; words without a time of their own are spoken with the one before. */
const speeches = {
  briefing:
    "Welcome to the morning briefing. The harbor bridge reopens on Tuesday after nine weeks of repairs. Ferry service returns to its winter timetable at six thirty. Engineers replaced four hundred and twelve steel bolts. Thank you for listening.",
  interview:
    "Question one. Which team proposed the smaller antenna? That was the Lisbon group, in March. Question two. What did the test cost? Eleven thousand euros, which is half of the budget.",
};

interface Recording {
  speech: keyof typeof speeches;
  file: string;
  codec: "aac" | "flac" | "mp3" | "opus" | "pcm";
  /** Length of one packet. */
  unitMs: number;
}

const recordings: Recording[] = [
  { speech: "briefing", file: "../briefing.wav", codec: "pcm", unitMs: 20 },
  { speech: "interview", file: "interview.mp3", codec: "mp3", unitMs: 1_152_000 / 44_100 },
  { speech: "interview", file: "interview.aac", codec: "aac", unitMs: 1_024_000 / 44_100 },
  { speech: "interview", file: "interview.m4a", codec: "aac", unitMs: 1_024_000 / 44_100 },
  { speech: "interview", file: "clip.mp4", codec: "aac", unitMs: 1_024_000 / 44_100 },
  { speech: "interview", file: "interview.ogg", codec: "opus", unitMs: 20 },
  { speech: "interview", file: "interview.flac", codec: "flac", unitMs: 4_608_000 / 44_100 },
];

async function hashesOf({ file, codec }: Recording): Promise<number[]> {
  const bytes = new Uint8Array(readFileSync(folder + file));
  if (codec === "pcm") return blocksOf(bytes);
  const sound = await packetsOf(bytes);
  if (sound?.codec !== codec) throw new Error(`${file} has no sound in ${codec}.`);
  return sound.packets.map(({ data }) => packetHash(data));
}

function blocksOf(wav: Uint8Array): number[] {
  const data = Buffer.from(wav).indexOf("data") + 8;
  const count = Math.floor((wav.length - data) / blockBytes);
  return Array.from({ length: count }, (_, index) => blockHash(wav, data + index * blockBytes));
}

/** Of packets as long as a word none may be left out. */
const longUnitMs = 50;

/** The place of an anchor is a multiple of `anchorEvery`; 0 stands for a packet that is there more than once. */
function anchorsOf(hashes: number[], anchorEvery: number, all: readonly number[]): Uint32Array {
  const times = new Map<number, number>();
  for (const hash of all) times.set(hash, (times.get(hash) ?? 0) + 1);
  return Uint32Array.from({ length: Math.ceil(hashes.length / anchorEvery) }, (_, index) => {
    const hash = hashes[index * anchorEvery] ?? 0;
    return times.get(hash) === 1 ? hash : 0;
  });
}

/** Each word in its sentence's spelling and punctuation, with its start. */
function wordsOf(speech: keyof typeof speeches): string {
  const timed = JSON.parse(readFileSync(`${folder}${speech}.words.json`, "utf8")) as {
    word: string;
    startMs: number;
  }[];
  const written = speeches[speech].split(" ");
  let at = 0;
  return timed
    .map(({ word, startMs }) => {
      while (at < written.length && written[at]?.replace(/[.,?!]$/, "") !== word) at += 1;
      const spelling = written[at];
      if (spelling === undefined) throw new Error(`"${word}" is not in the text of ${speech}.`);
      at += 1;
      return `${spelling} ${startMs}`;
    })
    .join(" ");
}

async function source(): Promise<string> {
  const found = await Promise.all(
    recordings.map(async (recording) => ({ recording, hashes: await hashesOf(recording) })),
  );
  const all = found.flatMap(({ hashes }) => hashes);
  const tracks = found.map(({ recording: { speech, codec, unitMs }, hashes }) => {
    const anchorEvery = unitMs > longUnitMs ? 1 : 8;
    const anchors = anchorsOf(hashes, anchorEvery, all);
    const checks = Uint8Array.from(hashes, (hash) => hash & 0xff);
    const fields = [
      `speech: "${speech}"`,
      `codec: "${codec}"`,
      `unitMs: ${unitMs}`,
      `anchorEvery: ${anchorEvery}`,
      `anchors: "${Buffer.from(anchors.buffer).toString("base64")}"`,
      `checks: "${Buffer.from(checks).toString("base64")}"`,
    ];
    return `  { ${fields.join(", ")} },`;
  });
  const words = Object.keys(speeches).map(
    (speech) => `  ${speech}:\n    "${wordsOf(speech as keyof typeof speeches)}",`,
  );
  return `/** Made by scripts/speech-samples.ts from test/fixtures/samples; change that, then run it. */
import type { SampleTrack } from "./table.ts";

/** Word and start in milliseconds, in turn. */
export const speeches = {
${words.join("\n")}
} as const;

/** Anchors are 32-bit hashes, least byte first; checks are the low bytes of the hashes of all. Base64. */
// oxfmt-ignore
export const sampleTracks: readonly SampleTrack[] = [
${tracks.join("\n")}
];
`;
}

const made = await source();
if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== made)
    throw new Error(`${target} is not what the samples say: run scripts/speech-samples.ts.`);
} else writeFileSync(target, made);
