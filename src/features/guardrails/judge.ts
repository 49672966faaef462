/** Holds texts and answers against the rules of one stage of a request. Where matching would take too long, it throws `OutOfFuel`. */
import type { TokenUsage } from "#adapters/llm/contract";
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import type { Fuel } from "#lib/linear-pattern";
import { rangesIn, type Readings, replaced, type SchemaRule, type SizeRule, type Stage } from "./rules.ts";
import type { Rule } from "./shapes.ts";
import { answerTexts, mapAnswer, mapTexts, textBytesOf, type Visitor } from "./texts.ts";

export interface Judge {
  fuel: Fuel;
  readings: Readings;
  stage: Stage;
  /** Notes what a rule found; throws `guardrail-blocked` for one that blocks, or that cannot take out what is spread over several texts. */
  apply(rule: Rule, about?: "spread"): void;
}

const bytesPerToken = 4;

/** A text after all rules, in their order. */
export function checkText({ stage, apply, ...about }: Judge, text: string): string {
  return stage.texts.reduce((shown, rule) => {
    const ranges = rangesIn(shown, rule, { ...about, isWhole: true });
    if (ranges.length === 0) return shown;
    apply(rule);
    return rule.action === "redact" ? replaced(shown, ranges, rule.replacement) : shown;
  }, text);
}

/** `texts` are read as the one `whole`. */
export function checkSpread({ stage, apply, ...about }: Judge, whole: string, texts: readonly string[]): void {
  for (const rule of stage.texts) {
    const isIn = (text: string) => rangesIn(text, rule, { ...about, isWhole: true }).length > 0;
    if (isIn(whole) && !texts.some(isIn)) apply(rule, "spread");
  }
}

export function visitorOf(judge: Judge): Visitor {
  const strict = judge.stage.texts.find(({ action }) => action !== "flag");
  return {
    text: (text) => checkText(judge, text),
    parts(texts) {
      for (const between of ["", "\n"]) checkSpread(judge, texts.join(between), texts);
    },
    tokens() {
      if (strict) judge.apply(strict, "spread");
    },
  };
}

/** Tokens that nobody counted are four bytes each. */
export function checkSizes({ stage, apply }: Judge, bytesOf: (rule: SizeRule) => number, tokens?: number): void {
  for (const rule of stage.sizes) {
    const bytes = bytesOf(rule);
    const { maxBytes = Infinity, maxTokens = Infinity } = rule;
    if (bytes > maxBytes || (tokens ?? Math.ceil(bytes / bytesPerToken)) > maxTokens) apply(rule);
  }
}

/** What says where the request goes and how it is answered is no text. */
const beside = new Set(["model", "stream", "stream_options"]);

export function checkAsked<Body extends JsonObject>(judge: Judge, body: Body): Body {
  const { sizes, texts } = judge.stage;
  const asked = Object.fromEntries(Object.entries(body).filter(([name]) => !beside.has(name)));
  const messages = [body["messages"] ?? body["input"] ?? body["prompt"] ?? []].flat();
  const all = sizes.length > 0 ? textBytesOf(asked) : 0;
  checkSizes(judge, ({ of }) => (of === "message" ? Math.max(...messages.map(textBytesOf), 0) : all));
  if (texts.length === 0) return body;
  const mapped = mapTexts(asked, visitorOf(judge));
  return mapped === asked ? body : { ...body, ...(mapped as JsonObject) };
}

export function checkAnswered(judge: Judge, text: string, usage: TokenUsage | null): string {
  const answer = JSON.parse(text) as unknown;
  if (!isObject(answer)) return text;
  checkWhole(judge, answer, usage);
  if (judge.stage.texts.length === 0) return text;
  const mapped = mapAnswer(answer, visitorOf(judge));
  return mapped === answer ? text : JSON.stringify(withoutPieces(mapped));
}

/** Rules that an answer keeps or breaks as a whole. */
export function checkWhole(judge: Judge, answer: JsonObject, usage: TokenUsage | null): void {
  const { sizes, schemas } = judge.stage;
  const bytes = sizes.length > 0 ? textBytesOf([answer["choices"], answer["output"], answer["text"]]) : 0;
  checkSizes(judge, () => bytes, usage && !usage.estimated ? usage.outputTokens : undefined);
  if (schemas.length === 0) return;
  for (const said of answerTexts(answer))
    for (const rule of schemas) if (said !== null && !keeps(rule, said, judge.fuel)) judge.apply(rule);
}

function keeps({ check }: SchemaRule, text: string, fuel: Fuel): boolean {
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch {
    return false;
  }
  return check(value, fuel);
}

/** The same words once more in pieces: single tokens with their likelihood, words with their times. */
function withoutPieces(answer: JsonObject): JsonObject {
  const { choices } = answer;
  const bare = (choice: unknown) => (isObject(choice) && "logprobs" in choice ? { ...choice, logprobs: null } : choice);
  const whole = Object.fromEntries(Object.entries(answer).filter(([name]) => name !== "words"));
  return Array.isArray(choices) ? { ...whole, choices: choices.map(bare) } : whole;
}

const cueTimes = /^(?:\d+|WEBVTT.*|(?:\d+:)?\d\d:\d\d[.,]\d{3} -->.*)$/gm;

/** Subtitles: what is said may be cut by the times between. */
export function checkHeard(judge: Judge, text: string): string {
  checkWhole(judge, { text }, null);
  const shown = checkText(judge, text);
  checkSpread(judge, shown.replaceAll(cueTimes, "").replaceAll(/\s+/g, " "), []);
  return shown;
}
