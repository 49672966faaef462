/**
 * How much of the processor other programs took during a measurement, on Linux. The machine may be shared: a round during
 * which others were busy says nothing about the ratio of two contenders, one of which needs two cores.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

const TICK_MS = 10;

/** Busy time of all cores in milliseconds: user, nice, system, irq, softirq and steal of proc(5) /proc/stat. */
function busyMs() {
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8")
    .split("\n")[0]
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * TICK_MS;
}

/** User and system time of a process and of its threads that have ended: fields 14 and 15 of proc(5) /proc/<id>/stat. */
function usedMs(processId) {
  const fields = readFileSync(`/proc/${processId}/stat`, "utf8").split(") ").at(-1).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/**
 * Runs `work` and gives its result and `foreignShare`: the part of all cores' time that went to processes other than this
 * one and `processIds`. The share is 0 where /proc does not tell.
 */
export async function watch(processIds, work) {
  const own = () => ["self", ...processIds].reduce((sum, id) => sum + usedMs(id), 0);
  let before;
  try {
    before = { busy: busyMs(), own: own(), at: performance.now() };
  } catch {
    return { result: await work(), foreignShare: 0 };
  }
  const result = await work();
  const capacity = (performance.now() - before.at) * availableParallelism();
  const foreign = busyMs() - before.busy - (own() - before.own);
  return { result, foreignShare: Math.max(0, foreign / capacity) };
}
