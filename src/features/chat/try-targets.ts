/**
 * Asks the targets of a model in their order until one answers: all of them once, then, after a pause with full jitter, once more. A request that a
 * provider refuses for its content is not shown to the next one.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Target } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { noteProviderCall } from "#features/models/service";
import { attempt, type Call, type Fault, faultOf } from "./attempt.ts";
import { type Breaker, openBreaker, type OpenState } from "./breaker.ts";

const maxRounds = 3;
const firstPauseMs = 250;
const longestPauseMs = 4_000;
/** A caller waits this long for a provider that said when to come back; what takes longer is the caller's to decide. */
const patienceMs = 10_000;
/** A timer may end this much before its time. */
const earlyMs = 5;

const isolateBreaker = openBreaker();

/** Makes of a provider's answer what the caller can be given, or says that it is no answer. */
export type Begin<Begun> = (
  target: Target,
  response: Response,
) => Promise<{ ok: true; begun: Begun } | { ok: false; fault: Fault }>;

export interface Answered<Begun> {
  target: Target;
  begun: Begun;
  /** Calls of providers, this one included. */
  attempts: number;
}

interface Asked<Begun> {
  call: Call;
  begin: Begin<Begun>;
  breaker?: Breaker;
}

/** What a request remembers from round to round. */
interface Memory {
  /** Calls of providers. */
  attempts: number;
  /** What a provider that wants to be left alone for a while said, by target. */
  resting: Map<string, { fault: Fault; untilMs: number }>;
}

/** Throws a problem when no target answers, or the request's own time is up. */
export async function tryTargets<Begun>(
  ctx: WorkspaceCtx,
  targets: readonly Target[],
  asked: Asked<Begun>,
): Promise<Answered<Begun>> {
  try {
    return await askInRounds(ctx, targets, asked);
  } catch (error) {
    const { aborted, reason } = asked.call.signal;
    const isLate = aborted && reason instanceof Error && reason.name === "TimeoutError";
    throw isLate ? new Problem("model-timeout", { headers: noRetry }) : error;
  }
}

async function askInRounds<Begun>(
  ctx: WorkspaceCtx,
  targets: readonly Target[],
  asked: Asked<Begun>,
): Promise<Answered<Begun>> {
  const memory: Memory = { attempts: 0, resting: new Map() };
  for (let round = 1; ; round += 1) {
    const { answered, faults } = await askOnce(ctx, targets, { ...asked, memory });
    if (answered) return answered;
    const isLast = round === maxRounds || asked.call.outgoing?.isSpent() === true;
    const waitMs = isLast ? null : waitAfter(ctx, faults, round);
    if (waitMs === null) throw problemOf(faults);
    await pause(waitMs, undefined, { signal: asked.call.signal });
  }
}

export function nameOf({ provider, baseUrl, model, ownKeyId }: Target): string {
  return `${provider} ${baseUrl} ${model} ${ownKeyId ?? ""}`;
}

/**
 * The worst circuit of each of the operator's providers, over all its models, as this isolate knows them; one that is not named is closed. Whether a
 * workspace's own key works is its own affair.
 */
export function openCircuits(nowMs: number): Map<string, OpenState> {
  const worst = new Map<string, OpenState>();
  for (const { target, state } of isolateBreaker.notClosed(nowMs)) {
    const [provider = ""] = target.split(" ", 1);
    if (target.endsWith(" ") && worst.get(provider) !== "open") worst.set(provider, state);
  }
  return worst;
}

async function askOnce<Begun>(
  ctx: WorkspaceCtx,
  targets: readonly Target[],
  asked: Asked<Begun> & { memory: Memory },
): Promise<{ answered: Answered<Begun> | null; faults: Fault[] }> {
  const { call, begin, breaker = isolateBreaker, memory } = asked;
  const faults: Fault[] = [];
  for (const target of targets) {
    const name = nameOf(target);
    const left = leftAlone(name, { breaker, memory, nowMs: ctx.now() });
    if (left) {
      faults.push(left);
      continue;
    }
    memory.attempts += 1;
    const begunMs = ctx.now();
    const tried = await attempt(ctx, target, call);
    const result = tried.ok ? await begin(target, tried.response) : tried;
    const ok = result.ok || result.fault.kind === "refused";
    noteProviderCall(ctx, { ...target, ok, durationMs: ctx.now() - begunMs });
    if (result.ok) {
      breaker.succeeded(name);
      return { answered: { target, begun: result.begun, attempts: memory.attempts }, faults };
    }
    faults.push(result.fault);
    const { retryAfterMs } = result.fault;
    if (retryAfterMs !== null) memory.resting.set(name, { fault: result.fault, untilMs: ctx.now() + retryAfterMs });
    if (isFinal(result.fault) || call.outgoing?.isSpent() === true) break;
    if (countsAgainst.has(result.fault.kind)) breaker.failed(name, ctx.now());
  }
  return { answered: null, faults };
}

/** Why a target is not asked now: it said when to come back, or has failed too often. */
function leftAlone(name: string, about: { breaker: Breaker; memory: Memory; nowMs: number }): Fault | null {
  const { breaker, memory, nowMs } = about;
  const resting = memory.resting.get(name);
  if (resting && resting.untilMs - nowMs > earlyMs) return { ...resting.fault, retryAfterMs: resting.untilMs - nowMs };
  const closedForMs = breaker.closedFor(name, nowMs);
  return closedForMs === null ? null : faultOf("overloaded", { retryAfterMs: closedForMs });
}

/** A model that one provider does not have, another one may. */
function isFinal({ kind, status }: Fault): boolean {
  return kind === "refused" && status !== 404;
}

/** A provider that is asked too often, or that refuses a request, is well. */
const countsAgainst = new Set<Fault["kind"]>(["unreachable", "timeout", "overloaded", "credentials", "invalid-answer"]);
const worthAnother = new Set<Fault["kind"]>(["unreachable", "rate-limited", "overloaded", "invalid-answer"]);

/** Null: asking again is of no use, or not before a time that the caller should not wait for. */
function waitAfter(ctx: WorkspaceCtx, faults: readonly Fault[], round: number): number | null {
  const again = faults.filter(({ kind }) => worthAnother.has(kind));
  if (again.length === 0 || faults.some(isFinal)) return null;
  // Full jitter: callers that failed together do not come back together.
  const [noise = 0] = ctx.random(1);
  const jitterMs = Math.round((noise / 255) * Math.min(firstPauseMs * 2 ** (round - 1), longestPauseMs));
  const toldMs = Math.min(...again.map(({ retryAfterMs }) => retryAfterMs ?? 0));
  return toldMs > patienceMs ? null : toldMs + jitterMs;
}

/** The caller's own SDK would ask again at once: it need not, and is told. */
const noRetry = { "x-should-retry": "false" };

export function problemOf(faults: readonly Fault[]): Problem {
  const refused = faults.find(({ kind }) => kind === "refused");
  if (refused) return refusal(refused);
  const limited = faults.filter(({ kind }) => kind === "rate-limited");
  if (limited.length > 0 && limited.length === faults.length) {
    const waitMs = Math.min(...limited.map(({ retryAfterMs }) => retryAfterMs ?? 1_000));
    return new Problem("model-rate-limited", {
      headers: { ...noRetry, "retry-after": String(Math.max(Math.ceil(waitMs / 1_000), 1)) },
    });
  }
  const code = faults.every(({ kind }) => kind === "timeout") ? "model-timeout" : "model-unavailable";
  return new Problem(code, { headers: noRetry, members: { causes: faults.slice(0, 20).map(({ kind }) => kind) } });
}

function refusal({ status, said }: Fault): Problem {
  if (status === 404 && !said) return new Problem("model-unavailable", { headers: noRetry });
  // Its own words name the model as the provider calls it, and how it is reached.
  if (status === 404 && said?.code === "model_not_found")
    return new Problem("model-not-found", {
      detail: "The model's provider has no model of this name.",
      headers: noRetry,
      members: { param: "model" },
    });
  const code = said?.code ?? (said && isTooLong.test(said.message) ? "context_length_exceeded" : null);
  return new Problem("model-request-refused", {
    ...(said ? { detail: said.message } : {}),
    headers: noRetry,
    members: said ? { providerCode: code, providerType: said.type, param: said.param } : {},
  });
}

/** Companies that have no code for it: Anthropic, and servers of open models. */
const isTooLong = /prompt is too long|maximum context length/i;
