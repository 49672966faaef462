/** What a simulated model answers: text, a value for a schema, calls of tools or a refusal, as a function of what it was asked. */
import { diceOf, hashOf, sandboxText } from "./dice.ts";
import type { Fields } from "./fields.ts";
import { valueFitting } from "./schema-value.ts";
import { splitTokens } from "./tokens.ts";

export interface ToolOffer {
  name: string;
  parameters: Fields;
}

/** `only` names the tools that may be called; null is all of them. */
export interface ToolRule {
  mode: "none" | "auto" | "required";
  only: readonly string[] | null;
  isParallel: boolean;
}

export type AnswerFormat = { kind: "text" } | { kind: "json" } | { kind: "schema"; schema: Fields };

/** A request of any dialect, as far as the answer depends on it. */
export interface Ask {
  /** A hash of the request without what only changes how the answer is sent. */
  seed: string;
  /** The last message of the user. */
  lastText: string;
  /** The last message is what a tool gave: a tool that was asked for is not called again. */
  isAfterTool: boolean;
  tools: readonly ToolOffer[];
  toolRule: ToolRule;
  format: AnswerFormat;
  maxTokens: number;
  stops: readonly string[];
  isRefused: boolean;
  /** Answered as it is, instead of words. */
  echo: string | null;
}

export interface ToolCall {
  /** Letters and digits; each dialect puts its own prefix before it. */
  id: string;
  name: string;
  argumentTokens: string[];
}

export interface Reply {
  tokens: string[];
  calls: ToolCall[];
  ending: "stop" | "length" | "tools" | "refused";
  stoppedBy: string | null;
  /** Of the text and the calls; the name of a called tool is one. */
  tokenCount: number;
}

export const maxAnswerTokens = 20_000;
/** With log probabilities, which take far more room than the tokens. */
export const maxMarkedTokens = 2_000;
const maxCalls = 8;
const refusal = "The sandbox refuses this request.";

/** @param index of the choice: each one has words of its own */
export function replyTo(ask: Ask, index: number): Reply {
  const seed = hashOf(`${ask.seed}:${index}`);
  const calls = ask.isRefused ? [] : calledTools(ask).map((tool, place) => callOf(tool, `${seed}:${place}`));
  if (calls.length > 0) return limitCalls(calls, ask.maxTokens);
  const whole = ask.isRefused ? refusal : textOf(ask, seed);
  const { text, stoppedBy } = ask.isRefused ? { text: whole, stoppedBy: null } : stopAt(whole, ask.stops);
  const tokens = splitTokens(text);
  const kept = tokens.slice(0, Math.min(ask.maxTokens, maxAnswerTokens));
  const isCut = kept.length < tokens.length;
  const ending = isCut ? "length" : ask.isRefused ? "refused" : "stop";
  return { tokens: kept, calls: [], ending, stoppedBy: isCut ? null : stoppedBy, tokenCount: kept.length };
}

function calledTools({ tools, toolRule, lastText, isAfterTool }: Ask): ToolOffer[] {
  const { mode, only, isParallel } = toolRule;
  const offered = only ? tools.filter(({ name }) => only.includes(name)) : tools;
  if (mode === "none" || offered.length === 0) return [];
  const words = new Set(lastText.split(/[^A-Za-z0-9_-]+/));
  const named = mode === "auto" && isAfterTool ? [] : offered.filter(({ name }) => words.has(name));
  const chosen = named.length === 0 && mode === "required" ? offered.slice(0, 1) : named;
  return chosen.slice(0, isParallel ? maxCalls : 1);
}

function callOf({ name, parameters }: ToolOffer, seed: string): ToolCall {
  const value = valueFitting({ type: "object", ...parameters }, diceOf(seed));
  return { id: hashOf(seed).slice(0, 24), name, argumentTokens: splitTokens(JSON.stringify(value)) };
}

function limitCalls(calls: ToolCall[], maxTokens: number): Reply {
  const kept: ToolCall[] = [];
  let left = Math.min(maxTokens, maxAnswerTokens);
  for (const call of calls) {
    if (left === 0) break;
    const argumentTokens = call.argumentTokens.slice(0, left - 1);
    left -= 1 + argumentTokens.length;
    kept.push({ ...call, argumentTokens });
  }
  const count = (list: ToolCall[]) => list.reduce((sum, call) => sum + 1 + call.argumentTokens.length, 0);
  const tokenCount = count(kept);
  return {
    tokens: [],
    calls: kept,
    ending: tokenCount < count(calls) ? "length" : "tools",
    stoppedBy: null,
    tokenCount,
  };
}

/** `tokens=50` and `say: ...` in the last message decide the answer; otherwise it has 12 to 27 tokens. */
function textOf({ lastText, format, echo }: Ask, seed: string): string {
  const dice = diceOf(seed);
  if (format.kind === "schema") return JSON.stringify(valueFitting(format.schema, dice));
  const said = echo ?? /(?:^|\n)say: ([^\n]*)/.exec(lastText)?.[1];
  const wanted = Number(/(?:^|[^\w])tokens=(\d{1,5})(?!\d)/.exec(lastText)?.[1] ?? 12 + dice.below(16));
  // No token has more than four characters: what is beyond is cut off anyway.
  const text = said?.slice(0, maxAnswerTokens * 4 + 1) ?? sandboxText(dice, Math.min(wanted, maxAnswerTokens));
  return format.kind === "json" ? JSON.stringify({ answer: text }) : text;
}

/** The text before the first stop sequence in it. */
function stopAt(text: string, stops: readonly string[]): { text: string; stoppedBy: string | null } {
  let end = text.length;
  let stoppedBy: string | null = null;
  for (const stop of stops) {
    const at = text.indexOf(stop);
    if (stop === "" || at === -1 || at >= end) continue;
    end = at;
    stoppedBy = stop;
  }
  return { text: text.slice(0, end), stoppedBy };
}
