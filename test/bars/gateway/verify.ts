/** Holds what callers saw and what was charged against the provider's books. Every violation begins with the word of its rule. */
import { APIUserAbortError } from "openai";
import type { Asking, Books } from "./books.ts";
import type { Outcome } from "./calls.ts";
import { type Cost, costOf, courseOf, moneyOf, mostAskings, soldAs } from "./expected.ts";
import type { Task, Usage } from "./tasks.ts";
import { retryAfterSeconds } from "./upstream.ts";
import { secondsOf } from "./wire.ts";

export interface Done {
  task: Task;
  outcome: Outcome;
}

/** What the ledger told the database about a model. */
export interface Charge {
  /** By meter. */
  amounts: Record<string, number>;
  requests: number;
  /** Requests whose tokens nobody told. */
  estimated: number;
  usage: Usage;
}

export type Charges = ReadonlyMap<string, Charge>;

export interface Verdict {
  violations: string[];
  /** Calls whose charge equals what the provider said, to the unit. */
  exact: number;
  estimated: number;
  free: number;
}

const clockMs = 40;
/** More than any of these calls may come to; a picture that is not counted is taken for one of 1,600 tokens. */
const estimateMost = (task: Task) => (task.kind === "image" ? 2_000 : 1_000);

function nameOf({ id, kind, isStream, isBurst, hasFallback, acts }: Task): string {
  const what = acts.map(({ fault, after }) => (after > 0 ? `${fault}-${after}` : fault)).join(" ");
  return `call ${id} (${kind}${isBurst ? " burst" : isStream ? " stream" : ""}${hasFallback ? " with fallback" : ""}; ${what || "nothing bad"})`;
}

/** What a caller sees: the end that the provider's answer deserves, and nothing of two answers. */
export function verifyEnd({ task, outcome }: Done, books: Books): string[] {
  const askings = books.askingsOf(task.id);
  const last = askings.at(-1);
  const found: string[] = [];
  const tell = (rule: string, what: string) => found.push(`${rule}: ${nameOf(task)} ${what}`);
  const isWhole = last !== undefined && (last.act === null || isHarmless(task, last.act));
  if (outcome.end === "whole" && !isWhole)
    tell("clean", `ended well, and the provider's answer was ${last?.act?.fault}`);
  if (outcome.end === "failed" && outcome.sawDone) tell("clean", "was told [DONE] after its stream had broken");
  if (outcome.end === "whole" && isWhole && outcome.text !== last.text)
    tell("text", `read ${outcome.text.slice(0, 100)}`);
  if (outcome.text !== "" && !askings.some(({ text }) => text.startsWith(outcome.text)) && outcome.end !== "whole")
    tell("mixed", `read what no answer began with: ${outcome.text.slice(-100)}`);
  if (mixes(outcome.text)) tell("fallback", `read pieces of several answers: ${outcome.text.slice(-100)}`);
  if (outcome.requests > 1)
    tell("requests", `was asked by its client ${outcome.requests} times: ${outcome.error?.message}`);
  verifyCourse({ task, outcome }, askings, tell);
  verifyAskings(askings, tell);
  return found;
}

type Tell = (rule: string, what: string) => void;

/** A fault that the plan puts behind the end of an answer which is shorter. */
function isHarmless(task: Task, { fault, after }: NonNullable<Asking["act"]>): boolean {
  return task.isStream && fault !== "cut" && fault !== "silence" && after > task.pieces + 2;
}

function mixes(text: string): boolean {
  return new Set([...text.matchAll(/c\d+a(\d+)p/g)].map(([, asking]) => asking)).size > 1;
}

function verifyCourse({ task, outcome }: Done, askings: readonly Asking[], tell: Tell): void {
  const course = courseOf(task);
  const { error } = outcome;
  if (outcome.end === "left") {
    if (error !== null && !(error instanceof APIUserAbortError) && error.name !== "AbortError")
      tell("class", `was left by its caller, who saw ${error.name}`);
    return;
  }
  const seen = outcome.end === "whole" ? "whole" : (error?.constructor.name ?? "nothing");
  if (course === null) return;
  // A machine that is too busy for the shortened time: the provider was well, and was hung up on.
  const isLate = Object.keys(task.patience).length > 0 && seen === "InternalServerError";
  if (isLate) return;
  if (askings.length !== course.askings) tell("retries", `asked ${askings.length} times, not ${course.askings}`);
  const isRight = course.end === "broken" ? outcome.end === "failed" && isOfStream(task, seen) : seen === course.end;
  if (!isRight) tell("class", `ended as ${seen}, not ${course.end}: ${error?.message.slice(0, 200) ?? ""}`);
}

/** An error event is the client's plain error; sound has no events, and its connection breaks. */
function isOfStream(task: Task, seen: string): boolean {
  return task.kind === "speech" ? seen !== "nothing" : seen === "APIError";
}

function verifyAskings(askings: readonly Asking[], tell: Tell): void {
  const groups = Map.groupBy(askings, ({ provider, requestId }) => `${provider} ${requestId}`);
  for (const group of groups.values()) {
    if (group.length > mostAskings) tell("retries", `asked one provider ${group.length} times`);
    for (const [at, { act, endedAtMs }] of group.entries()) {
      const next = group[at + 1];
      if (act?.fault !== "rate-limited" || !next) continue;
      const waitedMs = next.atMs - endedAtMs;
      if (waitedMs < retryAfterSeconds * 1_000 - clockMs)
        tell("retry-after", `came back after ${waitedMs} ms of ${retryAfterSeconds} s`);
    }
  }
}

/** The provider learns that a caller has left, or has sent all, before the platform would end the work. */
export function verifyLeaving({ task, outcome }: Done, books: Books, mostMs: number): string[] {
  if (outcome.end !== "left") return [];
  return books.askingsOf(task.id).flatMap(({ end, endedAtMs }) => {
    const lastedMs = (end === null ? Date.now() : endedAtMs) - outcome.leftAtMs;
    return lastedMs > mostMs
      ? [`disconnect: ${nameOf(task)} went on for ${lastedMs} ms after its caller had left`]
      : [];
  });
}

/** Of calls whose model nobody else used, one by one; of all others, model by model. */
export function verifyCharges(
  done: readonly Done[],
  charges: Charges,
  { books, drainMs }: { books: Books; drainMs: number },
): Verdict {
  const verdict: Verdict = { violations: [], exact: 0, estimated: 0, free: 0 };
  for (const one of done) {
    const { task, outcome } = one;
    if (!task.isAlone) continue;
    const charge = charges.get(task.model) ?? nothing;
    const cost = costOf(one, books.askingsOf(task.id), drainMs);
    const how = howCharged(task, charge, cost);
    if (how === null)
      verdict.violations.push(`billed: ${describe(one, books)} ${saidOf(charge)}, not ${JSON.stringify(cost)}`);
    else verdict[how] += 1;
    if (how !== null && charge.estimated !== (how === "estimated" ? 1 : 0))
      verdict.violations.push(`flag: ${describe(one, books)} was ${how}, and ${saidOf(charge)}`);
    if (outcome.end === "whole") verdict.violations.push(...verifyShown(one, charge));
  }
  const shared = Map.groupBy(
    done.filter(({ task }) => !task.isAlone),
    ({ task }) => task.model,
  );
  for (const [model, group] of shared) verifyShared(group, charges.get(model) ?? nothing, verdict);
  return verdict;
}

const nothing: Charge = { amounts: {}, requests: 0, estimated: 0, usage: { input: 0, cached: 0, output: 0 } };

function saidOf({ amounts, estimated, usage }: Charge): string {
  return `was charged ${JSON.stringify(amounts)}, recorded as ${JSON.stringify(usage)}${estimated > 0 ? ", estimated" : ""}`;
}

function describe({ task, outcome }: Done, books: Books): string {
  const asked = books
    .askingsOf(task.id)
    .map(({ sent, end, hungUp }) => `${sent} pieces ${end}${hungUp ? " hung up" : ""}`);
  return `${nameOf(task)} [${outcome.end}${task.leaves ? ` at ${task.leaves.at}` : ""}; ${asked.join(", ")}]`;
}

function isHeard({ kind }: Task): boolean {
  return kind === "transcription";
}

function howCharged(task: Task, charge: Charge, cost: Cost): "exact" | "estimated" | "free" | null {
  const { moneyMicroUsd = 0, aiTokens = 0, transcriptionSeconds = 0 } = charge.amounts;
  const amount = isHeard(task) ? transcriptionSeconds : aiTokens;
  if (amount === 0 && moneyMicroUsd === 0) return cost.mayBeNothing ? "free" : null;
  for (const usage of cost.exact) {
    const sold = isHeard(task) ? secondsOf(task) : usage.input + usage.output;
    const isRecorded = isHeard(task) || isSame(charge.usage, usage);
    if (amount === sold && moneyMicroUsd === moneyOf(task.base, usage) && isRecorded) return "exact";
  }
  return cost.mayBeEstimated && amount > 0 && amount <= estimateMost(task) ? "estimated" : null;
}

function isSame(one: Usage, other: Usage): boolean {
  return one.input === other.input && one.cached === other.cached && one.output === other.output;
}

/** Headers and `_usage_info` say what was charged, and whether somebody counted it. */
function verifyShown({ task, outcome }: Done, { amounts }: Charge): string[] {
  const { info, headers } = outcome;
  const { moneyMicroUsd = 0, aiTokens = 0 } = amounts;
  const found: string[] = [];
  const shown = headers?.get("x-overtone-cost-micro-usd") ?? null;
  if (!task.isStream && shown !== String(moneyMicroUsd))
    found.push(`shown: ${nameOf(task)} was told ${shown} for ${moneyMicroUsd}`);
  if (task.isStream || task.kind === "speech") return found;
  const tokens = isHeard(task) ? (soldAs(task)?.input ?? info?.tokens_used) : aiTokens;
  if (Math.round((info?.cost_usd ?? -1) * 1_000_000) !== moneyMicroUsd || info?.tokens_used !== tokens)
    found.push(`shown: ${nameOf(task)} was told ${JSON.stringify(info)} for ${JSON.stringify(amounts)}`);
  if (info?.estimated !== (soldAs(task) === null))
    found.push(`flag: ${nameOf(task)} says estimated ${info?.estimated}`);
  return found;
}

/** Calls that share a model were told their use, all or (verdicts on texts) none. */
function verifyShared(group: readonly Done[], charge: Charge, verdict: Verdict): void {
  const whole = group.filter(({ outcome }) => outcome.end === "whole");
  const sold = whole.flatMap(({ task }) => soldAs(task) ?? []);
  const [first] = whole;
  if (!first) return;
  if (sold.length === 0) {
    verdict.estimated += whole.length;
    if (charge.estimated !== whole.length)
      verdict.violations.push(`flag: ${whole.length} calls of ${first.task.model} ${saidOf(charge)}`);
    return;
  }
  const money = sold.reduce((sum, usage) => sum + moneyOf(first.task.base, usage), 0);
  const tokens = sold.reduce((sum, { input, output }) => sum + input + output, 0);
  const seconds = whole.reduce((sum, { task }) => sum + secondsOf(task), 0);
  const { moneyMicroUsd = 0, aiTokens = 0, transcriptionSeconds = 0 } = charge.amounts;
  const isRight = isHeard(first.task) ? transcriptionSeconds === seconds : aiTokens === tokens;
  if (isRight && moneyMicroUsd === money && charge.estimated === 0) verdict.exact += whole.length;
  else
    verdict.violations.push(
      `billed: ${whole.length} calls of ${first.task.model} came to ${tokens} tokens and ${money}: ${saidOf(charge)}`,
    );
}
