/**
 * Runs the tests: `npm test` all of them, `npm test -- <arguments>` what Vitest makes of the arguments. All of them are cut into as many
 * parts as there are processors, each in a process of its own: a part has one workerd, and workerd one thread.
 */
import { accessSync, constants, statfsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { run, silentCode } from "./processes.ts";

const partsMax = 4;

const memoryFolder = "/dev/shm";
const memoryFolderBytesMin = 1_073_741_824;

/** Where workerd keeps the databases and files of a run: in memory where there is room, as nobody needs them on a disk afterwards. */
function folderSettings(): Record<string, string> {
  try {
    accessSync(memoryFolder, constants.W_OK);
    const { bavail, bsize } = statfsSync(memoryFolder);
    return bavail * bsize >= memoryFolderBytesMin ? { TMPDIR: memoryFolder } : {};
  } catch {
    return {};
  }
}

const settings = folderSettings();

/** The longest file takes a minute; a slow machine four times as long. */
const silenceSecondsMax = 420;

/**
 * Vitest with workerd was seen to wait for ever behind a file that had ended (5.1.1 with vitest-plugin 1.4.10: workerd idle, its message that the
 * file is over never sent). Such a part says nothing any more; it is run once again, from its beginning. Tests that fail are not.
 */
async function runPart(given: readonly string[], { shown }: { shown: boolean }) {
  const options = { shown, settings, silenceSecondsMax };
  const ended = await run("vitest", given, options);
  if (ended.code !== silentCode) return ended;
  console.error(`vitest ${given.join(" ")} said nothing for ${silenceSecondsMax} s and is run again`);
  return run("vitest", given, options);
}

/** The first part prints as it goes, the others when all have ended. */
async function runAll(parts: number): Promise<number> {
  const shards = Array.from({ length: parts }, (_, index) => `--shard=${index + 1}/${parts}`);
  const ended = await Promise.all(shards.map((shard, index) => runPart(["run", shard], { shown: index === 0 })));
  for (const { output } of ended) process.stdout.write(output);
  return Math.max(...ended.map(({ code }) => code));
}

const given = process.argv.slice(2);
const parts = given.length > 0 ? 1 : Math.min(availableParallelism(), partsMax);
process.exitCode = parts > 1 ? await runAll(parts) : (await runPart(["run", ...given], { shown: true })).code;
