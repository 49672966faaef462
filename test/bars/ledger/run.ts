/**
 * The quotas under parallel calls and SIGKILL: a balance for 20 admits 20, what was abandoned returns in full, and after all charges and
 * kills the ledger, the database and the clients' own books agree to the unit. `npm run bar:ledger`
 */
import { setTimeout as pause } from "node:timers/promises";
import { call, type Crew, newTally } from "../crash/client.ts";
import { type Bar, type BarOptions, type BarResult, main, note } from "../options.ts";
import { type Person, startWithPeople } from "../people.ts";
import { makeChance } from "../random.ts";
import { openStage, type Stage } from "../stage.ts";
import { readState } from "../state.ts";
import { type Act, door, mutants } from "./patches.ts";
import { act, type Books, type Counts, newBooks, settledSum, shortTtlMs, startWork } from "./work.ts";

const full: Counts = { crowds: 2, charges: 2_000, kills: 50, clients: 24, promises: 4 };
const reduced: Counts = { crowds: 1, charges: 200, kills: 3, clients: 24, promises: 1 };
/** A mutant shows itself by then, or not at all. */
const least: Counts = { crowds: 1, charges: 160, kills: 2, clients: 24, promises: 1 };

const parallel = 200;
const room = { limit: 2_000, amount: 100, fits: 20 };
const tightLimit = 3_000;
const workSeconds = 3_600;

export const bar: Bar = { name: "ledger", mutants, run };

interface Scene {
  stage: Stage;
  crew: Crew;
  counts: Counts;
  violations: string[];
}

async function run(options: BarOptions, variant: string | null): Promise<BarResult> {
  const counts = variant !== null ? least : options.quick ? reduced : full;
  note(`ledger${variant === null ? "" : `, ${variant}`}: ${JSON.stringify(counts)}, seed ${options.seed}`);
  const mutant = mutants.find(({ name }) => name === variant);
  const plays = (act: Act) => mutant === undefined || mutant.act === act;
  const stage = await openStage([...door, ...(mutant?.patches ?? [])]);
  try {
    const people = await startWithPeople(stage, 3 + counts.promises);
    const crew: Crew = {
      stage,
      chance: makeChance(options.seed),
      tally: newTally(),
      lostReplyShare: 0.15,
      underWay: 0,
      deadlineMs: Date.now() + workSeconds * 1_000,
    };
    const scene: Scene = { stage, crew, counts, violations: [] };
    const [crowd, wide, tight, ...others] = people;
    if (!crowd || !wide || !tight) throw new Error("nobody came");
    const admitted = plays("crowd") ? await checkCrowd(scene, crowd) : [];
    if (plays("promise")) for (const person of others) await checkPromise(scene, person);
    const books = [newBooks(wide, 50_000_000), newBooks(tight, tightLimit)];
    const restartSeconds = plays("storm") ? await storm(scene, books) : [];
    await checkBooks(scene, books);
    await stage.stop();
    checkDisk(scene, books);
    return resultOf(scene, { admitted, books, restartSeconds });
  } finally {
    await stage.remove();
  }
}

interface Standing {
  used: number;
  reserved: number;
}

async function standing(crew: Crew, { token }: Person): Promise<Standing> {
  const { status, body } = await call(crew, { method: "GET", path: "/v1/usage/quota/aiTokens", token });
  if (status !== 200) throw new Error(`quota answered ${status} ${JSON.stringify(body)}`);
  return { used: body.used, reserved: body.reserved };
}

/** 200 at once against a balance for 20; then everything is left behind and nothing is held, so that again there is room for 20. */
async function checkCrowd(scene: Scene, person: Person): Promise<number[]> {
  const { crew, violations, counts } = scene;
  const books = newBooks(person, room.limit);
  const rounds: number[] = [];
  for (let round = 1; round <= counts.crowds; round += 1) {
    const asked = Array.from({ length: parallel }, (_, index) =>
      act(crew, books, { act: "reserve", id: `crowd-${round}-${index}`, amount: room.amount, ttlMs: shortTtlMs }),
    );
    const admitted = (await Promise.all(asked)).filter(Boolean).length;
    rounds.push(admitted);
    if (admitted !== room.fits) violations.push(`admitted: ${admitted} of ${parallel} into a balance for ${room.fits}`);
    await pause(shortTtlMs + 1_500);
    const { used, reserved } = await standing(crew, person);
    if (used + reserved !== 0)
      violations.push(`abandoned: ${reserved} reserved and ${used} used after the leases ended`);
  }
  return rounds;
}

/** Dies in the moment in which it has admitted three: whoever was told so may still be using them. */
async function checkPromise(scene: Scene, person: Person): Promise<void> {
  const { crew, stage, violations } = scene;
  const books = newBooks(person, room.limit);
  const ask = (id: string) => act({ ...crew, lostReplyShare: 0 }, books, { act: "reserve", id, amount: room.amount });
  const before = [await ask("first"), await ask("second"), await ask("third")].filter(Boolean).length;
  await stage.kill();
  await stage.start();
  const after = await Promise.all(Array.from({ length: 40 }, (_, index) => ask(`after-${index}`)));
  const admitted = before + after.filter(Boolean).length;
  if (admitted > room.fits)
    violations.push(`overspent: ${admitted} admitted over a kill into a balance for ${room.fits}`);
}

async function storm(scene: Scene, books: readonly Books[]): Promise<number[]> {
  const { crew, stage, counts } = scene;
  const work = startWork(crew, books, counts);
  const failed = work.finished.then(
    () => null,
    (error: Error) => error,
  );
  const restartSeconds: number[] = [];
  for (let kill = 1; kill <= counts.kills; kill += 1) {
    const goal = Math.floor((counts.charges * kill) / (counts.kills + 1));
    work.admit(goal);
    // In the midst of the work, not after it.
    const latest = Date.now() + 10_000;
    const enough = goal - crew.chance.between(1, Math.min(counts.clients, Math.ceil(goal / 4)));
    while (work.done() < enough && Date.now() < latest) await pause(2);
    await stage.kill();
    const from = Date.now();
    await stage.start();
    restartSeconds.push((Date.now() - from) / 1_000);
    if (kill % 10 === 0) note(`kill ${kill} of ${counts.kills}: ${work.done()} of ${counts.charges} done`);
  }
  work.admit(counts.charges);
  const error = await failed;
  if (error) throw error;
  return restartSeconds;
}

/** What the clients were answered, what the ledger says is used, and what it told the database. */
async function checkBooks({ crew, violations }: Scene, books: readonly Books[]): Promise<void> {
  for (const each of books) {
    const sum = settledSum(each);
    const { used } = await standing(crew, each.person);
    compare(violations, { what: "used of the ledger", sum, is: used });
    const { body } = await call(crew, { method: "GET", path: "/v1/usage/history?days=2", token: each.person.token });
    compare(violations, { what: "sum of the days", sum, is: body.totals.aiTokens });
    if (each.limit !== null && Math.max(used, each.highest) > each.limit)
      violations.push(`overspent: ${Math.max(used, each.highest)} of ${each.limit} were used or held`);
  }
}

function compare(violations: string[], { what, sum, is }: { what: string; sum: number; is: number }): void {
  if (is < sum) violations.push(`lost: ${what} is ${is}, ${sum} were charged`);
  if (is > sum) violations.push(`doubled: ${what} is ${is}, ${sum} were charged`);
}

/** On the stopped server's disk: every charge once, by its id, and the same sums. */
function checkDisk({ stage, violations }: Scene, books: readonly Books[]): void {
  const state = readState(stage.stateDir);
  for (const { person, settled } of books) {
    const rows = state.database<{ id: string; amount: number }>(
      `SELECT id, amount FROM usage_events WHERE workspace_id = '${person.workspaceId}'`,
    );
    const byId = new Map(rows.map(({ id, amount }) => [id, amount]));
    for (const [id, amount] of settled) {
      const written = byId.get(`${id}/aiTokens`) ?? 0;
      if (written < amount) violations.push(`lost: event of ${id} says ${written}, ${amount} were charged`);
      if (written > amount) violations.push(`doubled: event of ${id} says ${written}, ${amount} were charged`);
    }
    const charged = [...settled.values()].filter((amount) => amount > 0).length;
    if (byId.size > charged) violations.push(`doubled: ${byId.size} events of ${charged} charges`);
  }
}

interface Seen {
  admitted: number[];
  books: readonly Books[];
  restartSeconds: number[];
}

function resultOf({ counts, violations, crew }: Scene, { admitted, books, restartSeconds }: Seen): BarResult {
  const { requests, connectionErrors, repliesLost } = crew.tally;
  const total = (of: (each: Books) => number) => books.reduce((sum, each) => sum + of(each), 0);
  const sorted = restartSeconds.toSorted((a, b) => a - b);
  return {
    ok: violations.length === 0,
    counts: { crowds: counts.crowds, charges: counts.charges, kills: counts.kills + counts.promises },
    parallel,
    admitted,
    settled: total(({ settled }) => settled.size),
    units: total(settledSum),
    refused: total(({ refused }) => refused),
    abandoned: total((each) => each.abandoned),
    tightHighest: books[1]?.highest ?? null,
    tightLimit,
    requests,
    connectionErrors,
    repliesLost,
    restartSecondsMedian: sorted[Math.floor(sorted.length / 2)] ?? null,
    violations,
  };
}

if (import.meta.main) await main(bar);
