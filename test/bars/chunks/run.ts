/**
 * Recordings in all seven containers are cut, and ffprobe and ffmpeg read every chunk without a word of complaint; the durations of the
 * chunks, without what they repeat, add up to that of the recording. Quick: the samples; else ten minutes of each, from the seed.
 * Needs ffmpeg (Debian: ffmpeg). `npm run bar:chunks`
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bar, type BarOptions, type BarResult, main, type MutantRun, note } from "../options.ts";

interface ChunksMutant extends MutantRun {
  file: string;
  find: string;
  replace: string;
}

const mutants: ChunksMutant[] = [
  {
    name: "cut-inside-frames",
    provenBy: "unclean",
    file: "src/lib/audio/frames.ts",
    find: "endByte: await index.offsetOf(end) },",
    replace: "endByte: (await index.offsetOf(end)) - 100 },",
  },
  {
    name: "lost-packets",
    provenBy: "duration",
    file: "src/lib/audio/container.ts",
    find: "if (packet.timestamp >= plan.endSeconds - timeSlack) break;",
    replace: "if (packet.timestamp >= plan.endSeconds - 0.2) break;",
  },
  {
    name: "untold-overlap",
    provenBy: "duration",
    file: "src/lib/audio/wav.ts",
    find: "overlapSeconds: (previousEnd - start) / sampleRateHz,",
    replace: "overlapSeconds: 0,",
  },
];

export const bar: Bar = { name: "chunks", mutants, run };

const root = fileURLToPath(new URL("../../..", import.meta.url));
const samples = ["aac", "flac", "m4a", "mp3", "ogg", "webm"].map((extension) => `samples/interview.${extension}`);
const driftSecondsMax = 0.05;

function call(
  command: string,
  parameters: string[],
  cwd = root,
): { status: number | null; out: string; complaint: string } {
  const { status, stdout, stderr, error } = spawnSync(command, parameters, {
    cwd,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (error) throw error;
  return { status, out: stdout, complaint: stderr.trim() };
}

/** The sources, or a copy of them with the damage. */
function sourcesOf(folder: string, variant: string | null): string {
  const mutant = mutants.find(({ name }) => name === variant);
  if (!mutant) return root;
  const copy = join(folder, "product");
  cpSync(join(root, "src/lib"), join(copy, "src/lib"), { recursive: true });
  mkdirSync(join(copy, "test/bars/chunks"), { recursive: true });
  for (const path of ["package.json", "test/bars/chunks/work.ts"]) cpSync(join(root, path), join(copy, path));
  for (const path of ["node_modules", "dist"]) symlinkSync(join(root, path), join(copy, path), "junction");
  const path = join(copy, mutant.file);
  const text = readFileSync(path, "utf8");
  if (text.split(mutant.find).length !== 2) throw new Error(`${mutant.name} does not fit ${mutant.file} any more`);
  writeFileSync(path, text.replace(mutant.find, mutant.replace));
  return copy;
}

/** Ten minutes in each container, made by the bench's own script. */
function longInputs(folder: string, seed: number): string[] {
  const names = ["wav", "mp3", "mp3-vbr", "aac", "m4a", "ogg", "webm", "flac"];
  const script = `import { makeMedia } from "./test/bench/make-media/make.mjs";
    console.log(JSON.stringify(makeMedia(${JSON.stringify({ folder, names, seed })})));`;
  const { status, out, complaint } = call(process.execPath, ["--input-type=module", "-e", script]);
  if (status !== 0) throw new Error(complaint);
  return Object.values(JSON.parse(out) as Record<string, string>);
}

/** By its packets: what headers say is a guess in some formats. */
function secondsOf(path: string): { seconds: number; complaint: string } {
  const parameters = [
    "-v",
    "error",
    "-select_streams",
    "a",
    "-show_entries",
    "packet=duration_time",
    "-of",
    "csv=p=0",
    path,
  ];
  const { out, complaint } = call("ffprobe", parameters);
  const seconds = out.split("\n").reduce((sum, line) => sum + (Number.parseFloat(line) || 0), 0);
  return { seconds, complaint };
}

interface Plan {
  index: number;
  fileExtension: string;
  overlapSeconds: number;
}

interface Checked {
  chunks: number;
  driftSeconds: number;
  violations: string[];
}

function check(folder: string, file: string): Checked {
  const name = basename(file);
  const { plans } = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as { plans: Plan[] };
  const violations: string[] = [];
  let sum = 0;
  for (const { index, fileExtension, overlapSeconds } of plans) {
    const path = join(folder, `${name}.${index}.${fileExtension}`);
    const { seconds, complaint } = secondsOf(path);
    const decoded = call("ffmpeg", ["-v", "error", "-i", path, "-f", "null", "-"]);
    const complaints = [complaint, decoded.complaint].filter((text) => text !== "");
    if (complaints.length > 0) violations.push(`unclean: chunk ${index} of ${name}: ${complaints[0]?.slice(0, 160)}`);
    sum += seconds - overlapSeconds;
  }
  if (plans.length < 3) violations.push(`chunks: ${name} was cut into ${plans.length}`);
  const driftSeconds = sum - secondsOf(file).seconds;
  if (Math.abs(driftSeconds) > driftSecondsMax)
    violations.push(`duration: the chunks of ${name} differ by ${Math.round(driftSeconds * 1_000)} ms`);
  return { chunks: plans.length, driftSeconds, violations };
}

async function run(options: BarOptions, variant: string | null): Promise<BarResult> {
  const folder = mkdtempSync(join(tmpdir(), "overtone-chunks-"));
  try {
    // Mutants show themselves in the samples.
    const isShort = options.quick || variant !== null;
    note(
      `chunks${variant === null ? "" : `, mutant ${variant}`}: ${isShort ? "the samples" : "ten minutes of each"}, seed ${options.seed}`,
    );
    const own = ["briefing.wav", ...samples, "samples/clip.mp4"].map((name) => join(root, "test/fixtures", name));
    const files = isShort ? own : longInputs(folder, options.seed);
    const sources = sourcesOf(folder, variant);
    const parameters = ["--js-base-64", "--disable-warning=ExperimentalWarning", "test/bars/chunks/work.ts"];
    const work = call(process.execPath, [...parameters, folder, isShort ? "5" : "95", ...files], sources);
    if (work.status !== 0) throw new Error(work.complaint);
    const checked = files.map((file) => check(folder, file));
    const violations = checked.flatMap((entry) => entry.violations);
    const drifts = checked.map(({ driftSeconds }) => Math.abs(driftSeconds));
    return {
      ok: violations.length === 0,
      counts: { files: files.length, chunks: checked.reduce((sum, { chunks }) => sum + chunks, 0) },
      largestDriftMs: Math.round(Math.max(...drifts) * 1_000),
      violations,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) await main(bar);
