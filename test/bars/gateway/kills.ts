/**
 * SIGKILL of the whole server while callers are in the middle of their answers: nothing is charged twice or for more than was delivered, what
 * had been settled is not lost, and what was held comes back.
 */
import { APIError } from "openai";
import { setTimeout as pause } from "node:timers/promises";
import type { Books } from "./books.ts";
import { makeCall } from "./calls.ts";
import { clientOf, type Company, holdsNothing, standingOf } from "./company.ts";
import { moneyOf, soldAs } from "./expected.ts";
import { note } from "../options.ts";
import type { Chance } from "../random.ts";
import type { Patch, Stage } from "../stage.ts";
import { planHealthy } from "./tasks.ts";
import type { Charges, Done } from "./verify.ts";

const holdMs = 8_000;
/** What isolates hold lapses after 20 minutes, blocks of calls after two: longer than anybody waits for this bar. */
export const shortHolds: Patch[] = [
  { file: "src/durable/ledger/purse.ts", find: "const ttlMs = 1_200_000;", replace: `const ttlMs = ${holdMs};` },
  { file: "src/durable/ledger/metering.ts", find: "blockTtlMs = 120_000", replace: `blockTtlMs = ${holdMs}` },
];
/** From the end of an answer to the charge on disk: a quarter of a second, and what a busy machine adds. */
export const unsettledMs = 2_000;
/** The end of an answer may be noticed a moment after the kill behind it. */
const clockMs = 500;
const callers = 24;
const callsAKill = 60;

interface Scene {
  stage: Stage;
  books: Books;
  chance: Chance;
  newId(): number;
}

export interface Storm {
  done: Done[];
  killedAtMs: number[];
  violations: string[];
}

export async function callThroughKills(scene: Scene, company: Company, kills: number): Promise<Storm> {
  const { stage, books, chance } = scene;
  const client = clientOf(stage, company.key).withOptions({ maxRetries: 0 });
  const done: Done[] = [];
  const killedAtMs: number[] = [];
  let isOver = false;
  const caller = async () => {
    while (!isOver) {
      await stage.whenUp();
      const base = chance.pick(["gpt-4o-mini", "gpt-4o"]);
      const planned = planHealthy(chance, { id: scene.newId(), base, isStream: chance.next() < 0.7 });
      const task = { ...planned, everyMs: chance.between(10, 60) };
      books.expect(task);
      done.push({ task, outcome: await makeCall(client, task, books) });
    }
  };
  const calling = Promise.all(Array.from({ length: callers }, caller));
  for (let kill = 1; kill <= kills; kill += 1) {
    await until(() => done.length >= kill * callsAKill && books.underWay() >= callers / 3);
    await pause(chance.between(0, 300));
    killedAtMs.push(Date.now());
    await stage.kill();
    await stage.start();
    note(`gateway: kill ${kill} of ${kills}, ${done.length} calls`);
  }
  await until(() => done.length >= (kills + 1) * callsAKill);
  isOver = true;
  await calling;
  return { done, killedAtMs, violations: await verifyHolds(stage, company) };
}

async function until(holds: () => boolean): Promise<void> {
  const latest = Date.now() + 30_000;
  while (!holds() && Date.now() < latest) await pause(5);
}

async function verifyHolds(stage: Stage, company: Company): Promise<string[]> {
  const latest = Date.now() + 2 * holdMs + 5_000;
  let standing = await standingOf(stage, company);
  while (!holdsNothing(standing) && Date.now() < latest) {
    await pause(500);
    standing = await standingOf(stage, company);
  }
  return holdsNothing(standing) ? [] : [`held: ${JSON.stringify(standing.held)} did not come back after the kills`];
}

export interface Losses {
  violations: string[];
  /** Whole answers that were charged, and not. */
  charged: number;
  unbilled: number;
  unbilledTokens: number;
  /** How long before a kill the oldest of them had ended. */
  oldestUnbilledMs: number;
  cutOff: number;
}

export function verifyStorm({ done, killedAtMs }: Storm, books: Books, charges: Charges): Losses {
  const losses: Losses = { violations: [], charged: 0, unbilled: 0, unbilledTokens: 0, oldestUnbilledMs: 0, cutOff: 0 };
  for (const one of done) verifyOne(one, { books, charges, killedAtMs, losses });
  return losses;
}

function verifyOne(
  { task, outcome }: Done,
  { books, charges, killedAtMs, losses }: { books: Books; charges: Charges; killedAtMs: number[]; losses: Losses },
): void {
  const { violations } = losses;
  const sold = soldAs(task);
  if (!sold) return;
  const { aiTokens = 0, moneyMicroUsd = 0 } = charges.get(task.model)?.amounts ?? {};
  const tokens = sold.input + sold.output;
  const asked = books.askingsOf(task.id);
  if (outcome.end === "whole" && outcome.text !== asked.at(-1)?.text)
    violations.push(
      `clean: call ${task.id} ended well with ${outcome.text.length} characters of an answer that was cut off`,
    );
  if (outcome.end === "failed" && !(outcome.error instanceof APIError) && !(outcome.error instanceof TypeError))
    violations.push(`class: a server that is gone is told as ${outcome.error?.constructor.name}`);
  if (aiTokens > tokens || moneyMicroUsd > moneyOf(task.base, sold))
    violations.push(`doubled: call ${task.id} was charged ${aiTokens} and ${moneyMicroUsd}, and came to ${tokens}`);
  if (outcome.end !== "whole") {
    losses.cutOff += 1;
    return;
  }
  if (aiTokens === tokens && moneyMicroUsd === moneyOf(task.base, sold)) {
    losses.charged += 1;
    return;
  }
  const nextKillMs = killedAtMs.find((at) => outcome.endedAtMs <= at + clockMs) ?? Number.POSITIVE_INFINITY;
  const ageMs = Math.max(nextKillMs - outcome.endedAtMs, 0);
  losses.oldestUnbilledMs = Math.max(losses.oldestUnbilledMs, ageMs);
  if (ageMs > unsettledMs || aiTokens !== 0)
    violations.push(`lost: call ${task.id} was charged ${aiTokens} of ${tokens}, long before any kill`);
  losses.unbilled += 1;
  losses.unbilledTokens += tokens;
}
