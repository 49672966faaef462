/** Decisions about models from values only: which route holds, in which order places are tried, which price is in force, what a use costs. */
import type { Price, TokenUsage } from "#adapters/llm/contract";
import { matchesAny } from "#core/sub-user";

type Scalar = string | number | boolean;

/** All members that are named have to hold. */
export interface Condition {
  /** A pattern for the id that the caller named, for an override of many models. */
  model?: string | undefined;
  /** By member: the value, or one of the values; texts may hold `*`. */
  metadata?: Record<string, Scalar | Scalar[]> | undefined;
  minBytes?: number | undefined;
  maxBytes?: number | undefined;
}

/** Without a model: the name that the caller used. */
export interface RouteTarget {
  provider: string;
  model?: string | undefined;
  weight: number;
}

export interface Route {
  when?: Condition | undefined;
  targets: RouteTarget[];
}

export interface Asked {
  model: string;
  metadata: Readonly<Record<string, unknown>>;
  sizeBytes: number;
}

export function routeOf(routes: readonly Route[], asked: Asked): Route | null {
  return routes.find(({ when }) => when === undefined || holds(when, asked)) ?? null;
}

function holds({ model, metadata = {}, minBytes = 0, maxBytes = Infinity }: Condition, asked: Asked): boolean {
  if (model !== undefined && !matchesAny([model], asked.model)) return false;
  if (asked.sizeBytes < minBytes || asked.sizeBytes > maxBytes) return false;
  return Object.entries(metadata).every(([name, wanted]) => {
    const given = Object.hasOwn(asked.metadata, name) ? asked.metadata[name] : undefined;
    return [wanted].flat().some((value) => isSame(value, given));
  });
}

function isSame(wanted: Scalar, given: unknown): boolean {
  return typeof wanted === "string" && typeof given === "string" ? matchesAny([wanted], given) : wanted === given;
}

/** The override that an id falls under: its own, else that of the longest pattern. */
export function overrideOf<Row extends { id: string }>(rows: ReadonlyMap<string, Row>, id: string): Row | null {
  const exact = rows.get(id);
  if (exact) return exact;
  let found: Row | null = null;
  for (const row of rows.values())
    if (row.id.includes("*") && row.id.length > (found?.id.length ?? 0) && matchesAny([row.id], id)) found = row;
  return found;
}

/**
 * By chance in proportion to the weights, without putting any back; weight 0 comes after all others. `rolls` are numbers above 0 and below
 * 1, one for each: when they depend on a place and on whom it is for, a place that comes or goes moves nobody else's.
 */
export function inOrder<Place extends { weight: number }>(places: readonly Place[], rolls: readonly number[]): Place[] {
  return places
    .map((place, index) => ({
      place,
      score: place.weight > 0 ? -Math.log(rolls[index] ?? 0.5) / place.weight : Infinity,
    }))
    .toSorted((one, other) => (one.score === other.score ? 0 : one.score - other.score))
    .map(({ place }) => place);
}

/** A number above 0 and below 1 that is the same for the same text (FNV-1a, then MurmurHash3's finalizer to spread short texts). */
export function rollOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32 + 2 ** -33;
}

/** What is charged for tokens at a price, rounded up to a whole micro-USD. */
export function costOf(price: Price, { inputTokens, cachedInputTokens, outputTokens }: TokenUsage): number {
  const cached = Math.min(cachedInputTokens, inputTokens);
  const total =
    (inputTokens - cached) * price.inputMicroUsdPerMillion +
    cached * price.cachedInputMicroUsdPerMillion +
    outputTokens * price.outputMicroUsdPerMillion;
  return Math.ceil(total / 1_000_000);
}

/** The newest of the prices whose time has come. */
export function priceAt<Row extends { effectiveAt: number }>(rows: readonly Row[], nowMs: number): Row | null {
  let found: Row | null = null;
  for (const row of rows)
    if (row.effectiveAt <= nowMs && (found === null || row.effectiveAt > found.effectiveAt)) found = row;
  return found;
}

/** The models of a chain of fallbacks that lead back to `id`, or null. */
export function cycleFrom(id: string, fallbacksOf: (id: string) => readonly string[]): string[] | null {
  const paths: string[][] = [[id]];
  const seen = new Set<string>();
  for (let path = paths.pop(); path; path = paths.pop()) {
    for (const next of fallbacksOf(path.at(-1) ?? id)) {
      if (next === id) return [...path, next];
      if (!seen.has(next)) paths.push([...path, next]);
      seen.add(next);
    }
  }
  return null;
}
