/** What goes wrong, by the name of the model: `docs/sandbox.md` lists the names. A name that begins like a fault and is none has no model. */
import { contextExceeded, type LlmFailure, noModel, overloaded, rateLimited, serverError } from "./failure.ts";

export const contextTokens = 200_000;

/** After so many chunks with a token; `start`: after the opening events, before the first token. */
export type BreakPoint = number | "start";
export type BreakKind = "cut" | "end" | "silent" | "bad-json" | "error-event";

export type Fault =
  | { kind: "none" | "no-headers" | "empty" | "no-usage" | "refused" | "echo" | "shredded" | "html" }
  | { kind: "status"; failure: () => LlmFailure }
  | { kind: BreakKind; after: BreakPoint }
  | { kind: "slow"; everyMs: number }
  | { kind: "flaky"; failures: number };

const statuses: Record<string, () => LlmFailure> = {
  "rate-limited": rateLimited,
  error: serverError,
  unavailable: overloaded,
  "bad-request": () => contextExceeded(contextTokens, null),
};
const plain = ["no-headers", "empty", "no-usage", "refused", "echo", "shredded", "html"] as const;
const breaks = ["cut", "end", "silent", "bad-json", "error-event"] as const;

/** The names that are listed among the models; those that take a number are listed without it. */
export const faultNames = [...Object.keys(statuses), ...plain, ...breaks, "slow", "flaky"].map(
  (name) => `sandbox-${name}`,
);

const defaultBreak = 3;
const defaultPaceMs = 40;
const longestPaceMs = 10_000;
const mostFailures = 100;

/** A prefix with slashes, as routers use it, does not count. Throws for an unknown name that begins with `sandbox-`. */
export function faultOf(model: string): Fault {
  const name = model.slice(model.lastIndexOf("/") + 1);
  if (!name.startsWith("sandbox-")) return { kind: "none" };
  const match = /^sandbox-([a-z-]+?)(?:-(\d{1,5}|start))?$/.exec(name);
  const fault = match ? named(match[1] ?? "", match[2]) : null;
  if (!fault) throw noModel(model);
  return fault;
}

function named(name: string, parameter: string | undefined): Fault | null {
  const breaking = breaks.find((kind) => kind === name);
  if (breaking) return { kind: breaking, after: parameter === "start" ? "start" : Number(parameter ?? defaultBreak) };
  if (parameter === "start") return null;
  if (name === "slow") return { kind: "slow", everyMs: Math.min(Number(parameter ?? defaultPaceMs), longestPaceMs) };
  if (name === "flaky") return { kind: "flaky", failures: Math.min(Number(parameter ?? 1), mostFailures) };
  return parameter === undefined ? unnumbered(name) : null;
}

function unnumbered(name: string): Fault | null {
  const failure = Object.hasOwn(statuses, name) ? statuses[name] : undefined;
  if (failure) return { kind: "status", failure };
  const kind = plain.find((known) => known === name);
  return kind ? { kind } : null;
}
