/**
 * OpenAI's own client against the Worker, in front of providers that fail in every way, with callers who leave: what was charged is what the
 * provider delivered, no broken stream looks whole, no budget is overspent, and nothing stays held. `npm run bar:gateway`
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Bar, type BarOptions, type BarResult, main, note } from "../options.ts";
import { type Chance, makeChance } from "../random.ts";
import { readState } from "../state.ts";
import { type Books, openBooks } from "./books.ts";
import { budgets, crowd, spendBudget, type Spent } from "./budget.ts";
import { makeCall } from "./calls.ts";
import { chargesOf, clientOf, type Company, deliver, holdsNothing, openCompany, standingOf, sumOf } from "./company.ts";
import { type House, openHouse, withPatches } from "./house.ts";
import { callThroughKills, shortHolds, verifyStorm } from "./kills.ts";
import { drain, mutants, type Phase, shortDrain } from "./mutants.ts";
import { verifyRefusals } from "./refusals.ts";
import { planBroken, planEndless, planTask, type Task } from "./tasks.ts";
import { type Charges, type Done, type Verdict, verifyCharges, verifyEnd, verifyLeaving } from "./verify.ts";

interface Counts {
  calls: number;
  /** Streams that go on for longer than anybody follows them, and are left. */
  endless: number;
  kills: number;
}

const full: Counts = { calls: 2_000, endless: 4, kills: 8 };
const reduced: Counts = { calls: 300, endless: 2, kills: 1 };
/** A mutant shows itself by then, or not at all. */
const least: Counts = { calls: 60, endless: 3, kills: 0 };

/** Callers at once. */
const callers = 48;
/** The platform ends what goes on behind an answer 30 s after its caller has left: 5 s behind what the product allows itself. */
const overMs = 5_000;
const settledMs = 5_000;

export const bar: Bar = { name: "gateway", mutants, run };

interface Scene extends House {
  books: Books;
  chance: Chance;
  counts: Counts;
  /** How long the product reads on for a caller who has left: as it is in a full run, shortened in all others. */
  drainMs: number;
  violations: string[];
  newId(): number;
}

async function run(options: BarOptions, variant: string | null): Promise<BarResult> {
  const counts = variant !== null ? least : options.quick ? reduced : full;
  note(`gateway${variant === null ? "" : `, ${variant}`}: ${JSON.stringify(counts)}, seed ${options.seed}`);
  const house = await openHouse();
  let ids = 0;
  const scene: Scene = {
    ...house,
    books: openBooks(),
    chance: makeChance(options.seed),
    counts,
    drainMs: counts === full ? drain.longMs : drain.shortMs,
    violations: [],
    newId: () => (ids += 1),
  };
  house.upstream.keep(scene.books);
  const mutant = mutants.find(({ name }) => name === variant);
  return mutant ? runMutant(scene, mutant) : runWhole(scene);
}

async function runMutant(
  scene: Scene,
  { phase, patches }: { phase: Phase; patches: (typeof mutants)[number]["patches"] },
): Promise<BarResult> {
  await withPatches(scene, [...patches, shortDrain], async () => {
    const company = await openCompany(scene.stage, scene.root);
    if (phase === "budget") await checkBudgets(scene, company);
    else await checkCalls(scene, company, plan(scene, phase));
  });
  return { ok: scene.violations.length === 0, violations: scene.violations };
}

async function runWhole(scene: Scene): Promise<BarResult> {
  const { stage, root, counts, books, violations } = scene;
  const [calls, spent] = await withPatches(scene, counts === full ? [] : [shortDrain], async () => {
    const [caller, spender] = [await openCompany(stage, root), await openCompany(stage, root)];
    const rounds = await checkBudgets(scene, spender);
    return [await checkCalls(scene, caller, plan(scene, "calls")), rounds] as const;
  });
  const storm = await checkKills(scene);
  return {
    ok: violations.length === 0,
    counts,
    callers,
    providerAskings: books.askings(),
    exact: calls.verdict.exact,
    estimated: calls.verdict.estimated,
    free: calls.verdict.free,
    left: calls.left,
    longestAfterLeavingMs: calls.longestMs,
    tokens: calls.tokens,
    moneyMicroUsd: calls.money,
    budgets: spent.map((round, at) => ({
      callers: crowd,
      meter: budgets[at]?.meter,
      spent: round.spent,
      limit: round.limit,
    })),
    kills: storm,
    violations,
  };
}

/** Those that take longest come first. */
function plan({ chance, counts, newId }: Scene, phase: Phase): Task[] {
  const endless = phase === "leaving" || counts !== least ? counts.endless : 0;
  const all = Array.from({ length: endless }, () => planEndless(chance, newId()));
  // A mutant's few calls have some of what is rare.
  if (counts === least) all.push(...Array.from({ length: 4 }, () => planBroken(chance, newId())));
  return [...all, ...Array.from({ length: counts.calls }, () => planTask(chance, newId()))];
}

interface Called {
  verdict: Verdict;
  left: number;
  longestMs: number;
  tokens: number;
  money: number;
}

async function checkCalls(scene: Scene, company: Company, tasks: readonly Task[]): Promise<Called> {
  const { stage, books, violations, drainMs } = scene;
  const followedMs = drainMs + overMs;
  for (const task of tasks) books.expect(task);
  const before = await standingOf(stage, company);
  violations.push(...(await verifyRefusals(scene, company)));
  const done = await makeCalls(scene, company, tasks);
  const latest = Date.now() + followedMs + 1_000;
  while (books.underWay() > 0 && Date.now() < latest) await pause(20);
  violations.push(...done.flatMap((one) => [...verifyEnd(one, books), ...verifyLeaving(one, books, followedMs)]));
  const after = await settled(scene, company);
  const charges = await readCharges(scene, company);
  const verdict = verifyCharges(done, charges, { books, drainMs });
  violations.push(...verdict.violations);
  const sums = [
    ["tokens", sumOf(charges, "aiTokens"), after.aiTokens - before.aiTokens],
    ["micro-USD", sumOf(charges, "moneyMicroUsd"), after.moneyMicroUsd - before.moneyMicroUsd],
  ] as const;
  for (const [unit, sum, difference] of sums)
    if (sum !== difference)
      violations.push(`sum: ${sum} ${unit} were charged, and the ledger's balance differs by ${difference}`);
  const left = done.filter(({ outcome }) => outcome.end === "left");
  return { verdict, left: left.length, longestMs: longestAfter(left, books), tokens: sums[0][1], money: sums[1][1] };
}

async function makeCalls({ stage, books }: Scene, { key }: Company, tasks: readonly Task[]): Promise<Done[]> {
  const client = clientOf(stage, key);
  const waiting = [...tasks];
  const done: Done[] = [];
  const caller = async () => {
    for (let task = waiting.shift(); task; task = waiting.shift()) {
      done.push({ task, outcome: await makeCall(client, task, books) });
      if (done.length % 250 === 0) note(`gateway: ${done.length} of ${tasks.length} calls`);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return done;
}

function longestAfter(left: readonly Done[], books: Books): number {
  return Math.max(
    0,
    ...left.flatMap(({ task, outcome }) =>
      books.askingsOf(task.id).map(({ endedAtMs }) => endedAtMs - outcome.leftAtMs),
    ),
  );
}

/** Settlements run behind the answers: after a moment nothing may be held. */
async function settled({ stage, violations }: Scene, company: Company) {
  const latest = Date.now() + settledMs;
  let standing = await standingOf(stage, company);
  while (!holdsNothing(standing) && Date.now() < latest) {
    await pause(250);
    standing = await standingOf(stage, company);
  }
  if (!holdsNothing(standing))
    violations.push(`held: ${JSON.stringify(standing.held)} is still reserved after all calls have ended`);
  return standing;
}

async function readCharges({ stage }: Scene, company: Company): Promise<Charges> {
  await deliver(stage, company);
  await stage.stop();
  return chargesOf(readState(stage.stateDir), company);
}

async function checkBudgets(scene: Scene, company: Company): Promise<Spent[]> {
  const rounds: Spent[] = [];
  for (const budget of budgets) rounds.push(await spendBudget(scene, company, budget));
  scene.violations.push(...rounds.flatMap(({ violations }) => violations));
  const { aiTokens } = await settled(scene, company);
  const spent = rounds
    .flatMap(({ done }) => done)
    .reduce((sum, { task, outcome }) => sum + (outcome.end === "whole" ? task.usage.input + task.usage.output : 0), 0);
  if (aiTokens !== spent)
    scene.violations.push(`sum: the callers of the budgets used ${spent} tokens, the ledger says ${aiTokens}`);
  return rounds;
}

async function checkKills(scene: Scene) {
  const { stage, root, books, counts, violations } = scene;
  return withPatches(scene, shortHolds, async () => {
    const company = await openCompany(stage, root);
    const storm = await callThroughKills(scene, company, counts.kills);
    violations.push(...storm.violations);
    const losses = verifyStorm(storm, books, await readCharges(scene, company));
    violations.push(...losses.violations);
    const { violations: _, ...figures } = losses;
    return { kills: storm.killedAtMs.length, calls: storm.done.length, ...figures };
  });
}

if (import.meta.main) await main(bar);
