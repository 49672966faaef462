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

/** How far the medians are apart, as a share of the larger one. */
export function distanceOf(known: readonly number[], unknown: readonly number[]): number {
  const [one, other] = [median(known), median(unknown)];
  return Math.abs(one - other) / Math.max(one, other);
}
