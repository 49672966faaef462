/** Holds two groups of answers against each other: everything that a stranger can read, and how long it took. */
import type { Answer } from "../strangers.ts";

/** What names the request itself. A database's bookmark counts all its writes, whoever made them. */
const ofTheRequest = new Set(["date", "x-request-id", "x-d1-bookmark"]);

/** What is left of a limit or of a waiting time, which depends on the second in which one asks and on who asks. */
const ofTheMoment = new Set([
  "retry-after",
  "ratelimit",
  "ratelimit-reset",
  "x-ratelimit-reset",
  "x-ratelimit-remaining",
]);

/** Everything of an answer that may not depend on who has the address, line by line. */
export function faceOf({ status, headers, text }: Answer): string[] {
  const { body, waits } = bodyOf(text);
  const shown = headers
    // The number of seconds to wait may have a digit more or less.
    .filter(([name]) => !(waits && name === "content-length"))
    .map(([name, value]) => (ofTheRequest.has(name) || ofTheMoment.has(name) ? name : `${name}: ${value}`));
  return [String(status), ...shown.sort(), body];
}

/** The lines in which two faces differ; empty when they are the same. */
export function differenceOf(one: readonly string[], other: readonly string[]): string[] {
  return [
    ...one.filter((line) => !other.includes(line)).map((line) => `known: ${line}`),
    ...other.filter((line) => !one.includes(line)).map((line) => `unknown: ${line}`),
  ];
}

function bodyOf(text: string): { body: string; waits: boolean } {
  const body = JSON.parse(text) as Record<string, unknown>;
  const waits = typeof body["retryAfter"] === "number";
  if ("requestId" in body) body["requestId"] = "request";
  if (waits) body["retryAfter"] = "seconds";
  return { body: JSON.stringify(body), waits };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Two groups that were asked in pairs: the values with the same index were taken right after each other, in either order. */
export interface Sample {
  known: number[];
  unknown: number[];
}

export interface Finding {
  pairs: number;
  knownMs: number;
  unknownMs: number;
  /** How far the medians are apart, as a share of the larger one. */
  apart: number;
  /** Between which shares the median of the differences (known less unknown) lies, but for one time in 370. */
  between: [least: number, most: number];
}

/** Three standard deviations: it is looked at several times in a run. */
const deviations = 3;

/**
 * What all machines share falls out of the difference of a pair, however busy they are; the median and its interval come from the order of
 * the differences alone (binomial, no assumption about how they are spread), so a pause that hits one request moves neither.
 */
export function findingOf({ known, unknown }: Sample): Finding {
  const [knownMs, unknownMs] = [median(known), median(unknown)];
  const larger = Math.max(knownMs, unknownMs);
  const differences = known.map((value, index) => value - (unknown[index] ?? Number.NaN)).sort((a, b) => a - b);
  const count = differences.length;
  const beyond = Math.floor((count - deviations * Math.sqrt(count)) / 2) - 1;
  const least = differences[beyond] ?? Number.NEGATIVE_INFINITY;
  const most = differences[count - 1 - beyond] ?? Number.POSITIVE_INFINITY;
  return {
    pairs: count,
    knownMs,
    unknownMs,
    apart: Math.abs(knownMs - unknownMs) / larger,
    between: [least / larger, most / larger],
  };
}

/**
 * `held`: the medians are within the share, and so is every value that the difference may truly have. `apart`: no value that it may have
 * is. `open`: more pairs are needed to tell.
 */
export type Verdict = "held" | "apart" | "open";

export function verdictOn({ apart, between: [least, most] }: Finding, share: number): Verdict {
  if (least > share || most < -share) return "apart";
  return apart <= share && least >= -share && most <= share ? "held" : "open";
}
