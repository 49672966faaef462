/**
 * Makes long recordings of real speech with ffmpeg, from a seed: the sample recordings in an order and with pauses that the seed decides.
 * `node test/bench/make-media/make.mjs <folder> [--seed=1]` makes all of them; a file that is there already is left alone.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const fixtures = fileURLToPath(new URL("../../fixtures/", import.meta.url));
const recordings = ["briefing.wav", "samples/interview.flac"];
const pauses = [0.2, 0.5, 1.1];
const plain = ["-ac", "2", "-ar", "44100"];

/** Bytes of a second of CD sound, which the WAV files hold. */
const wavBytesPerSecond = 176_400;
const mebibyte = 1024 * 1024;

/** By name: how long, and how it is encoded. The seven containers are made of the same ten minutes, and an hour of MP3 has a varying rate. */
export const inputs = {
  "wav-500": { seconds: (500 * mebibyte) / wavBytesPerSecond - 0.01, extension: "wav", encode: ["-c:a", "pcm_s16le"] },
  "wav-100": { seconds: (100 * mebibyte) / wavBytesPerSecond - 0.01, extension: "wav", encode: ["-c:a", "pcm_s16le"] },
  "mp3-2h": {
    seconds: 7_200,
    extension: "mp3",
    encode: ["-c:a", "libmp3lame", "-b:a", "128k", "-compression_level", "9"],
  },
  "mp3-vbr": { seconds: 3_600, extension: "mp3", encode: ["-c:a", "libmp3lame", "-q:a", "5"] },
  wav: { seconds: 600, extension: "wav", encode: ["-c:a", "pcm_s16le"] },
  mp3: { seconds: 600, extension: "mp3", encode: ["-c:a", "libmp3lame", "-b:a", "96k"] },
  aac: { seconds: 600, extension: "aac", encode: ["-c:a", "aac", "-b:a", "96k"] },
  m4a: { seconds: 600, extension: "m4a", encode: ["-c:a", "aac", "-b:a", "96k"] },
  ogg: { seconds: 600, extension: "ogg", encode: ["-c:a", "libopus", "-b:a", "48k"] },
  webm: { seconds: 600, extension: "webm", encode: ["-c:a", "libopus", "-b:a", "48k"] },
  flac: { seconds: 600, extension: "flac", encode: ["-c:a", "flac"] },
};

function ffmpeg(...parameters) {
  execFileSync("ffmpeg", ["-v", "error", "-y", "-bitexact", ...parameters], { stdio: ["ignore", "ignore", "inherit"] });
}

/** Numbers from 0 to below `below`, the same for the same seed (mulberry32). */
function numbersOf(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A list for ffmpeg's concatenation, long enough for the longest input. */
function speechList(folder, seed) {
  const list = join(folder, `speech-${seed}.txt`);
  const parts = [...recordings, ...pauses].map((_, index) => join(folder, `part-${index}.wav`));
  recordings.forEach((name, index) => ffmpeg("-i", join(fixtures, name), ...plain, parts[index]));
  pauses.forEach((seconds, index) =>
    ffmpeg("-f", "lavfi", "-t", String(seconds), "-i", "anullsrc=r=44100:cl=stereo", parts[recordings.length + index]),
  );
  const pick = numbersOf(seed);
  const lines = Array.from({ length: 700 }, () => [
    `file '${parts[pick(recordings.length)]}'`,
    `file '${parts[recordings.length + pick(pauses.length)]}'`,
  ]);
  writeFileSync(list, lines.flat().join("\n"));
  return list;
}

/** The paths of the inputs by name. */
export function makeMedia({ folder, names, seed }) {
  mkdirSync(folder, { recursive: true });
  const paths = Object.fromEntries(
    names.map((name) => [name, join(folder, `${name}-${seed}.${inputs[name].extension}`)]),
  );
  const missing = names.filter((name) => !existsSync(paths[name]));
  if (missing.length === 0) return paths;
  const list = speechList(folder, seed);
  for (const name of missing) {
    const { seconds, extension, encode } = inputs[name];
    const unfinished = join(folder, `unfinished.${extension}`);
    ffmpeg("-f", "concat", "-safe", "0", "-i", list, "-t", String(seconds), ...plain, ...encode, unfinished);
    renameSync(unfinished, paths[name]);
  }
  rmSync(list);
  return paths;
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: "string", default: "1" } },
  });
  const [folder] = positionals;
  if (!folder) throw new RangeError("Name the folder: node test/bench/make-media/make.mjs <folder>");
  console.log(makeMedia({ folder, names: Object.keys(inputs), seed: Number(values.seed) }));
}
