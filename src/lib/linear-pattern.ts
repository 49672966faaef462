/**
 * Finds matches of a pattern in time that is linear in the text, whatever the pattern: all its states are walked at once, and sets of states that
 * were met before are remembered (Thompson 1968; Cox, "Regular Expression Matching Can Be Simple And Fast"). The runtime's own engine tries one way
 * after the other, and a stranger's pattern can keep it busy for hours. The leftmost match is found, and of those the longest.
 */
import { type Assertion, PatternError, type PatternNode, pairsOf, type Ranges } from "./pattern-syntax.ts";

/** What all matching of one request may cost: steps and states that are made. Shared, so that many patterns are no way around it. */
export interface Fuel {
  left: number;
}

/** The work is more than there is fuel for, or nested deeper than anybody looks. */
export class OutOfFuel extends Error {}

/** How far a match is looked for beyond its beginning where its end is not in sight. */
export const longestMatch = 1_024;

const maxStates = 2_000;
const maxRemembered = 1_000;
/** Making a set of states known, for each of them, in steps. */
const costOfState = 20;
const wordPoint = /[\p{L}\p{N}\p{M}_]/u;

interface NfaState {
  ranges: Ranges | null;
  assertion: Assertion | null;
  next: number[];
}

/** Set of states before an edge, and what stands before it. */
interface DfaState {
  items: readonly number[];
  before: Before;
  /** By symbol; the first is for the end of the text. */
  steps: ({ to: DfaState; isMatch: boolean } | undefined)[];
}

/** Of the character before: none, one of a word, another. */
type Before = 0 | 1 | 2;

export interface Match {
  start: number;
  end: number;
}

export interface LinearPattern {
  /** The next match from an index on. `isWhole` false: more text may follow, and a match that it could make longer or void is none yet. */
  find(text: string, from: number, about: { isWhole: boolean; fuel: Fuel }): Match | null;
  /** Where the last part of the text begins that more text could make a match of; the text's length: nowhere. */
  openFrom(text: string, from: number, fuel: Fuel): number;
}

const matchState = 0;
const endSymbol = -1;

/** @param mostStates throws `PatternError` for a pattern that has more, or that matches nothing at all */
export function linearPattern(node: PatternNode, mostStates: number = maxStates): LinearPattern {
  const alphabet = alphabetOf(node);
  const states = compile(node, mostStates);
  if (canBeEmpty(states)) throw new PatternError("it matches the empty text");
  const search = automaton(states, alphabet, { isAnchored: false });
  const longest = automaton(states, alphabet, { isAnchored: true });
  const before = (text: string, at: number): Before => kindOf(pointBefore(text, at));

  /** Where the first match ends; null: there is none. */
  function firstEnd(text: string, from: number, { isWhole, fuel }: { isWhole: boolean; fuel: Fuel }): number | null {
    let state = search.first(before(text, from));
    let at = from;
    // The hot loop: what its steps come to is taken together at its end.
    while (at < text.length) {
      const unit = text.charCodeAt(at);
      const point = unit < 0xd800 ? unit : (text.codePointAt(at) ?? unit);
      const symbol = alphabet.symbolOf(point);
      const step = state.steps[symbol + 1] ?? search.step(state, symbol, fuel);
      if (step.isMatch) break;
      state = step.to;
      at += point > 0xffff ? 2 : 1;
    }
    fuel.left -= at - from;
    if (at < text.length) return at;
    return isWhole && search.step(state, endSymbol, fuel).isMatch ? text.length : null;
  }

  /** `end` null: there is no match there; `isOpen`: the text ended before it was decided. */
  function endFrom(text: string, start: number, about: { isWhole: boolean; fuel: Fuel }) {
    let state = longest.first(before(text, start));
    let end: number | null = null;
    for (let at = start; at < text.length && at - start <= longestMatch;) {
      const point = text.codePointAt(at) ?? 0;
      const step = longest.step(state, alphabet.symbolOf(point), about.fuel);
      if (step.isMatch) end = at;
      state = step.to;
      if (state.items.length === 0) return { end, isOpen: false };
      at += point > 0xffff ? 2 : 1;
    }
    const isLong = text.length - start > longestMatch;
    if (!about.isWhole || isLong) return { end, isOpen: !isLong };
    return { end: longest.step(state, endSymbol, about.fuel).isMatch ? text.length : end, isOpen: false };
  }

  return {
    find(text, from, about) {
      const firstAt = firstEnd(text, from, about);
      if (firstAt === null) return null;
      const first = Math.max(from, firstAt - longestMatch);
      for (let start = first; start < firstAt; start += 1) {
        const { end, isOpen } = endFrom(text, start, about);
        if (isOpen) return null;
        if (end !== null) return { start, end };
      }
      // Longer than is looked for: as much of it as is looked at.
      return { start: first, end: firstAt };
    },
    openFrom(text, from, fuel) {
      for (let start = Math.max(from, text.length - longestMatch); start < text.length; start += 1)
        if (endFrom(text, start, { isWhole: false, fuel }).isOpen) return start;
      return text.length;
    },
  };
}

function pointBefore(text: string, at: number): number {
  if (at <= 0) return -1;
  const last = text.charCodeAt(at - 1);
  return last >= 0xdc00 && last <= 0xdfff && at > 1 ? (text.codePointAt(at - 2) ?? last) : last;
}

/** Letters, digits, marks and the underscore, of any script. */
export function isWord(point: number): boolean {
  if (point < 128)
    return (
      (point >= 97 && point <= 122) || (point >= 48 && point <= 57) || (point >= 65 && point <= 90) || point === 95
    );
  return wordPoint.test(String.fromCodePoint(point));
}

function kindOf(point: number): Before {
  if (point === -1) return 0;
  return isWord(point) ? 1 : 2;
}

type Alphabet = ReturnType<typeof alphabetOf>;

/** Code points that no set of the pattern tells apart are one symbol; the lowest bit says whether they are of a word. */
function alphabetOf(node: PatternNode) {
  const cuts = new Set<number>([0]);
  const visit = (one: PatternNode): void => {
    if (one.kind === "set")
      for (const [first, last] of pairsOf(one.ranges)) {
        cuts.add(first);
        cuts.add(last + 1);
      }
    else if (one.kind === "repeat") visit(one.node);
    else if (one.kind !== "assert") one.nodes.forEach(visit);
  };
  visit(node);
  const firsts = Uint32Array.from(cuts).toSorted();
  const symbol = (point: number): number => {
    let [low, high] = [0, firsts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((firsts[middle] ?? 0) <= point) low = middle;
      else high = middle;
    }
    return low * 2 + (isWord(point) ? 1 : 0);
  };
  const usual = Int32Array.from({ length: 128 }, (_, point) => symbol(point));
  return {
    symbolOf: (point: number): number => (point < 128 ? (usual[point] ?? 0) : symbol(point)),
    holds: (ranges: Ranges, of: number): boolean => {
      const point = firsts[of >> 1] ?? 0;
      return pairsOf(ranges).some(([first, last]) => first <= point && point <= last);
    },
  };
}

interface Nfa {
  states: NfaState[];
  start: number;
}

/** States are made from the end to the beginning: each knows what follows it. */
function compile(whole: PatternNode, mostStates: number): Nfa {
  const states: NfaState[] = [{ ranges: null, assertion: null, next: [] }];
  const add = (state: Partial<NfaState> & { next: number[] }): number => {
    if (states.length > mostStates) throw new PatternError(`it is too large: more than ${mostStates} steps`);
    return states.push({ ranges: null, assertion: null, ...state }) - 1;
  };
  const emit = (node: PatternNode, next: number): number => {
    if (node.kind === "set") return add({ ranges: node.ranges, next: [next] });
    if (node.kind === "assert") return add({ assertion: node.what, next: [next] });
    if (node.kind === "choice") return add({ next: node.nodes.map((one) => emit(one, next)) });
    if (node.kind === "repeat") return repeat(node, next);
    return node.nodes.reduceRight((behind, one) => emit(one, behind), next);
  };
  const repeat = ({ node, min, max }: Extract<PatternNode, { kind: "repeat" }>, next: number): number => {
    let behind = next;
    if (max === Infinity) {
      const loop = add({ next: [next] });
      states[loop]?.next.push(emit(node, loop));
      behind = loop;
    } else for (let count = min; count < max; count += 1) behind = add({ next: [next, emit(node, behind)] });
    for (let count = 0; count < min; count += 1) behind = emit(node, behind);
    return behind;
  };
  return { start: emit(whole, matchState), states };
}

function canBeEmpty({ states, start }: Nfa): boolean {
  const seen = new Set([start]);
  for (const item of seen) if (states[item]?.ranges === null) states[item]?.next.forEach((next) => seen.add(next));
  return seen.has(matchState);
}

function automaton({ states, start }: Nfa, alphabet: Alphabet, { isAnchored }: { isAnchored: boolean }) {
  const remembered = new Map<string, DfaState>();
  const stateOf = (items: readonly number[], before: Before): DfaState => {
    const name = `${before} ${items.join(" ")}`;
    const known = remembered.get(name);
    if (known) return known;
    if (remembered.size >= maxRemembered) remembered.clear();
    const made: DfaState = { items, before, steps: [] };
    remembered.set(name, made);
    return made;
  };
  const holds = (assertion: Assertion, before: Before, symbol: number): boolean => {
    if (assertion === "start") return before === 0;
    if (assertion === "end") return symbol === endSymbol;
    const isEdge = (before === 1) !== (symbol !== endSymbol && (symbol & 1) === 1);
    return assertion === "word" ? isEdge : !isEdge;
  };
  const make = ({ items, before }: DfaState, symbol: number, fuel: Fuel) => {
    const seen = new Set(items);
    const after = new Set<number>();
    for (const item of seen) {
      const state = states[item];
      if (!state) continue;
      if (state.ranges !== null) {
        if (symbol !== endSymbol && alphabet.holds(state.ranges, symbol)) after.add(state.next[0] ?? matchState);
      } else if (state.assertion === null || holds(state.assertion, before, symbol))
        state.next.forEach((next) => seen.add(next));
    }
    fuel.left -= seen.size * costOfState;
    if (!isAnchored) after.add(start);
    const follows: Before = symbol === endSymbol ? 0 : (symbol & 1) === 1 ? 1 : 2;
    return {
      to: stateOf(
        [...after].toSorted((one, other) => one - other),
        follows,
      ),
      isMatch: seen.has(matchState),
    };
  };
  return {
    first: (before: Before): DfaState => stateOf([start], before),
    step(state: DfaState, symbol: number, fuel: Fuel) {
      fuel.left -= 1;
      if (fuel.left < 0) throw new OutOfFuel();
      const known = state.steps[symbol + 1];
      if (known) return known;
      const made = make(state, symbol, fuel);
      state.steps[symbol + 1] = made;
      return made;
    },
  };
}
