/**
 * Runs the tests: `npm test` all of them, `npm test -- <arguments>` what Vitest makes of the arguments. All of them are cut into as many
 * parts as there are processors, each in a process of its own: a part has one workerd, and workerd one thread.
 */
import { availableParallelism } from "node:os";
import { run } from "./processes.ts";

const partsMax = 4;

/** The first part prints as it goes, the others when all have ended. */
async function runAll(parts: number): Promise<number> {
  const shards = Array.from({ length: parts }, (_, index) => `--shard=${index + 1}/${parts}`);
  const ended = await Promise.all(shards.map((shard, index) => run("vitest", ["run", shard], { shown: index === 0 })));
  for (const { output } of ended) process.stdout.write(output);
  return Math.max(...ended.map(({ code }) => code));
}

const given = process.argv.slice(2);
const parts = given.length > 0 ? 1 : Math.min(availableParallelism(), partsMax);
process.exitCode = parts > 1 ? await runAll(parts) : (await run("vitest", ["run", ...given], { shown: true })).code;
