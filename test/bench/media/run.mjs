/**
 * Splitting through ranges of the bucket against reading the same object once in the same workerd, beside `ffmpeg -c copy -f segment` on a
 * local file, and the memory that a long input takes over a short one. Needs ffmpeg (Debian: ffmpeg).
 */
import { execFileSync } from "node:child_process";
import { createReadStream, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeMedia } from "../make-media/make.mjs";
import { report } from "../report.mjs";
import { percentile, startWorker, workerdPid } from "../start-worker.mjs";

const rounds = Number(process.env.ROUNDS ?? 5);
const folder = process.env.MEDIA ?? mkdtempSync(join(tmpdir(), "overtone-media-"));
const mebibyte = 1024 * 1024;

/** The most memory since the last reset, in MiB (proc(5): 5 resets it). */
function peakMebibytes(pid) {
  const [, kibibytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) / 1024;
}

const resetPeak = (pid) => writeFileSync(`/proc/${pid}/clear_refs`, "5");

async function timed(work) {
  const startedAt = performance.now();
  const value = await work();
  return { value, ms: performance.now() - startedAt };
}

function segment(path) {
  const out = mkdtempSync(join(tmpdir(), "overtone-segments-"));
  const seconds = path.endsWith(".wav") ? "95" : "1048";
  const pattern = join(out, `%03d.${path.split(".").at(-1)}`);
  const parameters = ["-v", "error", "-i", path, "-c", "copy", "-f", "segment", "-segment_time", seconds, pattern];
  execFileSync("ffmpeg", parameters, { stdio: "inherit" });
  rmSync(out, { recursive: true });
}

async function measure(worker, name, path) {
  const ask = async (what) => {
    const answer = await fetch(`${worker.url}/${what}?key=${name}`);
    if (!answer.ok) throw new Error(`${what} ${name}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const times = { read: [], split: [], segment: [] };
  let result = {};
  for (let round = 0; round < rounds; round += 1) {
    times.read.push((await timed(() => ask("read"))).ms);
    const { value, ms } = await timed(() => ask("split"));
    times.split.push(ms);
    result = value;
    times.segment.push((await timed(() => segment(path))).ms);
  }
  const [read, split, peer] = [times.read, times.split, times.segment].map((values) => percentile(values, 0.5));
  const ratio = Math.round((split / read) * 100) / 100;
  return {
    figure: `splitting ${name} (${Math.round(statSync(path).size / mebibyte)} MiB, ${result.chunks} chunks) through ranges`,
    ours: `${Math.round(split)} ms`,
    peer: `reading it once ${Math.round(read)} ms; ffmpeg -c copy -f segment on a local file ${Math.round(peer)} ms`,
    ratio,
    target: "<= 1.3",
    ok: ratio <= 1.3,
  };
}

async function run() {
  const paths = makeMedia({ folder, names: ["wav-500", "wav-100", "mp3-2h", "mp3-vbr"], seed: 1 });
  const worker = await startWorker({ entry: "test/bench/media/worker.ts", bare: true, buckets: { FILES: "bench" } });
  const pid = workerdPid();
  try {
    for (const [name, path] of Object.entries(paths)) {
      const headers = { "content-length": String(statSync(path).size) };
      const body = createReadStream(path);
      const answer = await fetch(`${worker.url}/?key=${name}`, { method: "PUT", headers, body, duplex: "half" });
      if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    }
    const lines = [];
    for (const name of ["wav-500", "mp3-2h"]) lines.push(await measure(worker, name, paths[name]));
    const varying = await measure(worker, "mp3-vbr", paths["mp3-vbr"]);
    lines.push({ ...varying, target: "- (varying rate is read twice: once for its frames)", ok: true });
    const peaks = {};
    for (const name of ["wav-100", "wav-500"]) {
      resetPeak(pid);
      await fetch(`${worker.url}/split?key=${name}`);
      peaks[name] = peakMebibytes(pid);
    }
    const more = Math.round((peaks["wav-500"] - peaks["wav-100"]) * 10) / 10;
    lines.push({
      figure: "peak memory of splitting 500 MiB over splitting 100 MiB, 16 MiB chunks",
      ours: `${more} MiB`,
      peer: `${Math.round(peaks["wav-100"])} MiB at 100`,
      target: "<= 64 MiB",
      ok: more <= 64,
    });
    return lines;
  } finally {
    await worker.stop();
    if (!process.env.MEDIA) rmSync(folder, { recursive: true });
  }
}

report(await run());
