/**
 * `npm run bench`: every figure as a ratio against its peer in the same run, one JSON line each; leaves with 1 when a target is missed.
 * `npm run bench -- seal` runs one group. The peers in Node are installed here when they are missing; those in Python come from Debian
 * (python3-pil, python3-cryptography, python3-zstandard), and ffmpeg, which the group `media` measures beside.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const groups = {
  seal: "test/bench/seal/bench.mjs",
  storage: "test/bench/storage/run.mjs",
  media: "test/bench/media/run.mjs",
  "request-path": "test/bench/request-path/run.mjs",
  "start-up": "test/bench/start-up.mjs",
  identity: "test/bench/identity/run.mjs",
  gateway: "test/bench/gateway/run.mjs",
};

const run = (command, parameters) => spawnSync(command, parameters, { stdio: "inherit" }).status ?? 1;

if (
  !existsSync("test/bench/node_modules") &&
  run("npm", ["ci", "--prefix", "test/bench", "--no-audit", "--no-fund"]) !== 0
)
  process.exit(2);

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in groups));
if (unknown.length > 0) {
  console.error(`no group "${unknown.join(", ")}": there are ${Object.keys(groups).join(", ")}`);
  process.exit(2);
}
const chosen = Object.entries(groups).filter(([name]) => wanted.length === 0 || wanted.includes(name));
const missed = chosen.filter(([, script]) => run(process.execPath, [script]) !== 0).map(([name]) => name);
if (missed.length > 0) console.error(`targets missed in: ${missed.join(", ")}`);
process.exit(missed.length === 0 ? 0 : 1);
