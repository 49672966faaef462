/** Rules made ready to be applied. Decides about texts from what it is given; reads nothing and calls nobody. */
import { schemaCheck, type SchemaCheck } from "#lib/json-schema";
import { type Fuel, isWord, type LinearPattern, linearPattern } from "#lib/linear-pattern";
import { anyOf, parsePattern, type PatternNode } from "#lib/pattern-syntax";
import { plainLetters, type PlainText, plainText } from "#lib/plain-letters";
import type { Rule } from "./shapes.ts";

export type TextRule = Extract<Rule, { kind: "words" | "pattern" }> & { matcher: LinearPattern; ignoreCase: boolean };
export type SchemaRule = Extract<Rule, { kind: "json-schema" }> & { check: SchemaCheck };
export type SizeRule = Extract<Rule, { kind: "size" }>;

export interface Stage {
  texts: TextRule[];
  sizes: SizeRule[];
  schemas: SchemaRule[];
}

export interface Compiled {
  before: Stage;
  after: Stage;
}

/** As many steps as lists of some hundred words of some length come to. */
const maxWordStates = 70_000;

export function compileRules(rules: readonly Rule[]): Compiled {
  const ready = rules.map((rule) => (rule.kind === "words" || rule.kind === "pattern" ? textRule(rule) : rule));
  const stage = (name: "before" | "after"): Stage => {
    const all = ready.filter(({ when }) => when === name || when === "both");
    return {
      texts: all.filter((rule): rule is TextRule => "matcher" in rule),
      sizes: all.filter((rule) => rule.kind === "size"),
      schemas: all.flatMap((rule) => (rule.kind === "json-schema" ? { ...rule, check: schemaCheck(rule.schema) } : [])),
    };
  };
  return { before: stage("before"), after: stage("after") };
}

/** Throws what keeps the rule from being used. */
export function requireUsable(rule: Rule): void {
  const [ready] = compileRules([{ ...rule, when: "before" } as Rule]).before.texts;
  const about = { isWhole: true, fuel: { left: 1_000_000 }, readings: openReadings() };
  if (ready && rangesIn(ready.replacement, ready, about).length > 0)
    throw new Error("the replacement is itself what the rule is about");
}

function textRule(rule: Extract<Rule, { kind: "words" | "pattern" }>): TextRule {
  if (rule.kind === "pattern") return { ...rule, matcher: linearPattern(parsePattern(rule.pattern, rule)) };
  const texts = rule.words.map((word) => plainLetters(word, { ignoreCase: true }).replaceAll(/\s+/g, " ").trim());
  const node = rule.whole ? wholeWords(texts) : anyOf(texts);
  return { ...rule, ignoreCase: true, matcher: linearPattern(node, maxWordStates) };
}

/** Where a word begins or ends with something else than a letter, whatever may stand beside it. */
function wholeWords(texts: readonly string[]): PatternNode {
  const isWordAt = (text: string, at: number) => isWord(Array.from(text).at(at)?.codePointAt(0) ?? 32);
  const edge = (is: boolean): PatternNode[] => (is ? [{ kind: "assert", what: "word" }] : []);
  const groups = Map.groupBy(texts, (text) => `${isWordAt(text, 0)} ${isWordAt(text, -1)}`);
  const nodes = [...groups.values()].map((group): PatternNode => {
    const [text = ""] = group;
    return { kind: "sequence", nodes: [...edge(isWordAt(text, 0)), anyOf(group), ...edge(isWordAt(text, -1))] };
  });
  return { kind: "choice", nodes };
}

export interface Range {
  start: number;
  end: number;
}

/** The ways in which a text is read: as it stands and, where it has escapes, as who parses it would read it. */
export type Readings = (text: string, rule: Pick<TextRule, "ignoreCase">) => PlainText[];

/** All rules read the same text, one after the other: it is made ready once. */
export function openReadings(): Readings {
  const last = new Map<boolean, { text: string; readings: PlainText[] }>();
  return (text, { ignoreCase }) => {
    const known = last.get(ignoreCase);
    if (known?.text === text) return known.readings;
    const ways = text.includes("\\") ? [false, true] : [false];
    const readings = ways.map((readsEscapes) => plainText(text, { ignoreCase, readsEscapes }));
    last.set(ignoreCase, { text, readings });
    return readings;
  };
}

/** The first place of a plain text that comes from an offset, or from behind it. */
export function plainAt(plain: PlainText, offset: number): number {
  let at = 0;
  while (at < plain.text.length && plain.startOf(at) < offset) at += 1;
  return at;
}

interface Looking {
  isWhole: boolean;
  fuel: Fuel;
  readings: Readings;
  /** What stands before is only looked at for where a word begins. */
  from?: number;
}

/** What of a text a rule is about, in its order and without overlaps. */
export function rangesIn(text: string, rule: TextRule, about: Looking): Range[] {
  const found: Range[] = [];
  for (const plain of about.readings(text, rule)) {
    let from = plainAt(plain, about.from ?? 0);
    for (
      let match = rule.matcher.find(plain.text, from, about);
      match;
      match = rule.matcher.find(plain.text, from, about)
    ) {
      found.push({ start: plain.startOf(match.start), end: plain.endOf(match.end) });
      from = match.end;
    }
  }
  const merged: Range[] = [];
  for (const range of found.toSorted((one, other) => one.start - other.start)) {
    const last = merged.at(-1);
    if (last && range.start < last.end) last.end = Math.max(last.end, range.end);
    else merged.push({ ...range });
  }
  return merged;
}

export function replaced(text: string, ranges: readonly Range[], by: string): string {
  let from = 0;
  const parts = ranges.map(({ start, end }) => {
    const part = text.slice(from, start) + by;
    from = end;
    return part;
  });
  return parts.join("") + text.slice(from);
}
