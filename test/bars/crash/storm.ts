/** The lives and deaths of the server while the clients work: so much work is let in with each life, and each life ends by SIGKILL. */
import { setTimeout as pause } from "node:timers/promises";
import { note } from "../options.ts";
import type { Stage } from "../stage.ts";
import { type Counts, planWork, type Work } from "./plan.ts";
import { doWork, type Office } from "./work.ts";

export interface StormFigures {
  kills: number;
  /** Requests that were under way at each kill. */
  hit: number[];
  /** Conversions that were acknowledged and not known to have ended, at each kill. */
  open: number[];
  restartSeconds: number[];
  /** From the last restart until all work had ended. */
  drainSeconds: number;
  failedTicks: number;
}

const minute = "* * * * *";
const tickEveryMs = 2_500;
const life = { leastMs: 300, mostMs: 7_000 };
/** A kill waits this long for work to be under way. */
const idleMs = 2_000;
const promiseMs = 10_000;
const ended = new Set(["succeeded", "failed", "cancelled"]);

interface Weather {
  counts: Counts;
  /** How long after the last restart everything has to have ended: re-offer (60 s), lease (30 s) and the work itself. */
  drainSeconds: number;
}

export async function runStorm(office: Office, weather: Weather): Promise<StormFigures> {
  const { counts } = weather;
  const work = planWork(counts, office.people.length, office.chance);
  const figures: StormFigures = { kills: 0, hit: [], open: [], restartSeconds: [], drainSeconds: 0, failedTicks: 0 };
  const ticking = startTicking(office.stage, figures);
  const admission = makeAdmission(work, counts.kills + 1);
  const done = Promise.all(work.map((item, index) => admission.wait(index).then(() => doWork(office, item))));
  // A fault of the harness itself must not wait for the storm's end.
  const failed = done.then(
    () => null,
    (error: Error) => error,
  );
  try {
    for (let kill = 0; kill < counts.kills; kill += 1) {
      admission.open(kill);
      await liveAndDie(office, counts, figures);
      await restart(office.stage, figures);
      note(
        `kill ${kill + 1} of ${counts.kills}: ${figures.hit.at(-1)} requests under way, ${office.records.uploads.length} uploads and ${office.records.conversions.length} conversions acknowledged`,
      );
    }
    admission.open(counts.kills);
    const from = Date.now();
    office.deadlineMs = from + weather.drainSeconds * 1_000;
    const error = await failed;
    if (error) throw error;
    figures.drainSeconds = (Date.now() - from) / 1_000;
    return figures;
  } finally {
    office.deadlineMs = Math.min(office.deadlineMs, Date.now());
    await ticking.stop();
  }
}

interface Admission {
  /** Lets in the work of a life, the first one 0. */
  open(life: number): void;
  wait(index: number): Promise<void>;
}

function makeAdmission(work: readonly Work[], lives: number): Admission {
  const gates = Array.from({ length: lives }, () => Promise.withResolvers<void>());
  return {
    open: (life) => gates[life]?.resolve(),
    wait: async (index) => gates[Math.min(lives - 1, Math.floor((index * lives) / work.length))]?.promise,
  };
}

/** Some lives end at any moment, others right after an acknowledgement: what was only promised then must still be kept. */
async function liveAndDie(office: Office, counts: Counts, figures: StormFigures): Promise<void> {
  // Half of what a life lets in, so that it comes to so many.
  const latest = Math.ceil(counts.conversions / (counts.kills + 1) / 2);
  const strike = () => {
    figures.hit.push(office.underWay);
    figures.open.push(office.records.conversions.filter(({ state }) => !ended.has(state)).length);
    figures.kills += 1;
    return office.stage.kill();
  };
  if (counts.killsAt[figures.kills % counts.killsAt.length] === "promise") return atPromise(office, latest, strike);
  await someMoment(office);
  return strike();
}

/** Strikes in the very turn in which an acknowledgement is read: a sealing takes milliseconds, and should not be over yet. */
async function atPromise(office: Office, latest: number, strike: () => Promise<void>): Promise<void> {
  const struck = Promise.withResolvers<void>();
  let left = office.chance.between(1, latest);
  const fire = () => {
    clearTimeout(timer);
    office.onPromise = null;
    strike().then(struck.resolve, struck.reject);
  };
  const timer = setTimeout(fire, promiseMs);
  office.onPromise = () => {
    left -= 1;
    if (left === 0) fire();
  };
  await struck.promise;
}

/** While requests are under way, if there are any. */
async function someMoment(office: Office): Promise<void> {
  await pause(office.chance.between(life.leastMs, life.mostMs));
  for (const until = Date.now() + idleMs; office.underWay === 0 && Date.now() < until;) await pause(5);
}

const startTries = 3;

async function restart(stage: Stage, figures: StormFigures): Promise<void> {
  const begun = performance.now();
  for (let tries = 1; ; tries += 1) {
    try {
      await stage.start();
      break;
    } catch (error) {
      if (tries === startTries) throw error;
      note(`The server did not start (try ${tries}): ${(error as Error).message.slice(0, 2_000)}`);
    }
  }
  figures.restartSeconds.push((performance.now() - begun) / 1_000);
}

/** The minute's tick, more often than by the minute: a sweeper that ran only then would make the run last hours. */
function startTicking(stage: Stage, figures: StormFigures): { stop(): Promise<void> } {
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      await pause(tickEveryMs);
      if (stopped || !stage.isUp()) continue;
      await stage.tick(minute).catch((error: Error) => {
        // A tick that a kill cuts off is part of the test; one that fails on a living server is not.
        if (stage.isUp()) figures.failedTicks += 1;
        if (stage.isUp()) note(error.message);
      });
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await loop;
    },
  };
}
