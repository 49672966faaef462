/** Many callers at once at the end of a key's budget: what they spend never passes it, and what is left of it can still be spent. */
import { RateLimitError } from "openai";
import { setTimeout as pause } from "node:timers/promises";
import type { Books } from "./books.ts";
import { makeCall } from "./calls.ts";
import { clientOf, type Company, makeKey } from "./company.ts";
import { moneyOf, soldAs } from "./expected.ts";
import type { Chance } from "../random.ts";
import type { Stage } from "../stage.ts";
import { planHealthy, type Task } from "./tasks.ts";
import type { Done } from "./verify.ts";

export const crowd = 64;
/** A purse is settled a quarter of a second after its last use, and asked anew where there is room for one at a time only. */
const settledMs = 700;
const mostCalls = 400;

export interface Budget {
  meter: "aiTokens" | "moneyMicroUsd";
  limit: number;
}

/** Room for about a hundred calls each, of which many hold more than they come to. */
export const budgets: readonly Budget[] = [
  { meter: "aiTokens", limit: 4_000 },
  { meter: "moneyMicroUsd", limit: 18_000 },
];

interface Scene {
  stage: Stage;
  books: Books;
  chance: Chance;
  newId(): number;
}

export interface Spent {
  done: Done[];
  spent: number;
  limit: number;
  violations: string[];
}

/** All calls of a round are for one model: its isolate's purse is what they share. */
export async function spendBudget(scene: Scene, company: Company, { meter, limit }: Budget): Promise<Spent> {
  const { stage, books, chance } = scene;
  const key = await makeKey(stage, company, { budgets: [{ meter, limit, period: "month" }] });
  const client = clientOf(stage, key);
  const done: Done[] = [];
  const violations: string[] = [];
  const call = async (): Promise<Done> => {
    const base = "gpt-4o";
    const planned = planHealthy(chance, { id: scene.newId(), base, isStream: chance.next() < 0.5 });
    const task: Task = { ...planned, model: base, isAlone: false };
    books.expect(task);
    const one = { task, outcome: await makeCall(client, task, books) };
    done.push(one);
    return one;
  };
  const spender = async () => {
    while (done.length < mostCalls && (await call()).outcome.end === "whole");
  };
  await Promise.all(Array.from({ length: crowd }, spender));
  const last = await spendRest(call);
  const spent = done.reduce((sum, one) => sum + cameTo(one, meter), 0);
  if (spent > limit) violations.push(`overspent: ${spent} of ${limit} ${meter} by ${crowd} callers`);
  for (const { outcome } of done)
    if (outcome.end === "failed" && !(outcome.error instanceof RateLimitError))
      violations.push(`class: a budget that is used up is told as ${outcome.error?.constructor.name}`);
  if (last && last.available !== limit - spent)
    violations.push(`starved: ${last.available} of ${meter} are said to be left, and ${limit - spent} are`);
  return { done, spent, limit, violations };
}

function cameTo({ task, outcome }: Done, meter: Budget["meter"]): number {
  const sold = outcome.end === "whole" ? soldAs(task) : null;
  if (!sold) return 0;
  return meter === "aiTokens" ? sold.input + sold.output : moneyOf(task.base, sold);
}

/** One after the other until one is refused while nobody else holds anything. */
async function spendRest(call: () => Promise<Done>): Promise<{ available: number } | null> {
  for (let tries = 0; tries < mostCalls; tries += 1) {
    await pause(settledMs);
    const { error, end } = (await call()).outcome;
    if (end === "whole") continue;
    const said = (error as { error?: { available?: number } } | null)?.error;
    return { available: said?.available ?? Number.NaN };
  }
  return null;
}
