/**
 * The guard over one request: holds what is asked and what is answered against the workspace's rules. What a rule blocks is told by the rule's id and
 * name, never by what it found. Where matching would take too long, nothing passes.
 */
import type { TokenUsage } from "#adapters/llm/contract";
import type { JsonObject } from "#adapters/llm/dialect";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { type Fuel, OutOfFuel } from "#lib/linear-pattern";
import { checkAnswered, checkAsked, checkHeard, checkSizes, checkText, type Judge } from "./judge.ts";
import { policyOf } from "./policy.ts";
import { type Compiled, openReadings } from "./rules.ts";
import type { Rule } from "./shapes.ts";
import { openStreamGuard, type StreamGuard } from "./stream-guard.ts";
import { isText } from "./texts.ts";

/** Some tenths of a second of matching, for everything that a request and its answer hold. */
const fuelEach = 30_000_000;

export interface Guard {
  version: number;
  /** The request as it may be sent; the same object where nothing was changed. Throws `guardrail-blocked`. */
  asked<Body extends JsonObject>(body: Body): Body;
  /** A field of a form. Throws `guardrail-blocked`. */
  field(name: string, text: string): string;
  /** An answer as it may be told. Throws `guardrail-blocked`. */
  answered(text: string, usage: TokenUsage | null): string;
  /** What is no JSON: subtitles, plain text. Throws `guardrail-blocked`. */
  heard(text: string): string;
  /** Null: the answer may pass as it comes. */
  openStream(): StreamGuard | null;
  /** What the answer was marked with by now. */
  headers(): Record<string, string>;
  /** A rule that only marks has marked the answer: one from a cache would come without the mark. */
  isAnswerMarked(): boolean;
}

/** Null: the workspace has no rules, and nothing is to be done. */
export async function guardOf(ctx: WorkspaceCtx): Promise<Guard | null> {
  const policy = await policyOf(ctx);
  return policy?.rules ? openGuard(ctx, policy.rules, policy.version) : null;
}

function openGuard(ctx: WorkspaceCtx, rules: Compiled, version: number): Guard {
  const fuel: Fuel = { left: fuelEach };
  const marks = { before: new Map<string, string>(), after: new Map<string, string>() };
  const judgeOf = (name: "before" | "after"): Judge => ({
    fuel,
    readings: openReadings(),
    stage: rules[name],
    apply(rule, about) {
      const { id, action } = rule;
      const isBlocked = action === "block" || (about === "spread" && action === "redact");
      if (!marks[name].has(id)) ctx.log("warn", "guardrail.matched", { rule: id, action, stage: name, version });
      marks[name].set(id, action);
      if (isBlocked) throw blocked(rule, name);
    },
  });
  const [before, after] = [judgeOf("before"), judgeOf("after")];
  const { texts, sizes, schemas } = rules.after;
  const hasAfter = texts.length + sizes.length + schemas.length > 0;
  return {
    version,
    asked: (body) => guarded(before, () => checkAsked(before, body)),
    field: (name, text) => (isText(name, text) ? guarded(before, () => checkField(before, text)) : text),
    answered: (text, usage) => (hasAfter ? guarded(after, () => checkAnswered(after, text, usage)) : text),
    heard: (text) => (hasAfter ? guarded(after, () => checkHeard(after, text)) : text),
    openStream: () => (hasAfter ? openStreamGuard(after, (work) => guarded(after, work)) : null),
    headers(): Record<string, string> {
      const all = [...marks.before, ...marks.after].map(([id, action]) => `${id}=${action}`);
      return all.length > 0 ? { "x-overtone-guardrails": [...new Set(all)].join(", ") } : {};
    },
    isAnswerMarked: () => [...marks.after.values()].includes("flag"),
  };
}

function blocked({ id, name }: Pick<Rule, "id" | "name">, stage: "before" | "after"): Problem {
  const what = stage === "before" ? "request" : "answer";
  return new Problem("guardrail-blocked", {
    detail: `The workspace's rule ${JSON.stringify(name)} (${id}) does not let this ${what} through.`,
    // An SDK that asks again would be told the same, and pay for it.
    headers: { "x-should-retry": "false" },
    members: { rule: { id, name }, stage },
  });
}

/** What cannot be checked within its bounds is not let through. */
function guarded<Result>({ stage, apply }: Judge, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof OutOfFuel)) throw error;
    const [rule] = [...stage.texts, ...stage.schemas, ...stage.sizes];
    if (rule) apply({ ...rule, action: "block" });
    throw error;
  }
}

function checkField(judge: Judge, text: string): string {
  checkSizes(judge, () => Buffer.byteLength(text));
  return checkText(judge, text);
}

/** What an answer may be told as, or why it may not: whoever asks has a bill to settle first. */
export function letThrough(
  guard: Guard | null,
  { text, usage, isJson = true }: { text: string; usage: TokenUsage | null; isJson?: boolean },
): string | Problem {
  if (!guard) return text;
  try {
    return isJson ? guard.answered(text, usage) : guard.heard(text);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}
