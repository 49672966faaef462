/**
 * A client that does not give up: it goes on through broken connections and server errors with the same Idempotency-Key until it has an
 * answer, and now and then loses an answer that had arrived, as a network does. A refusal (4xx) is an answer.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Chance } from "../random.ts";
import type { Stage } from "../stage.ts";

/** The run's end came before the work's. */
export class TooLate extends Error {}

export interface Tally {
  requests: number;
  connectionErrors: number;
  /** Of these, requests that got no answer at all in time. */
  timeouts: number;
  repliesLost: number;
  /** Answers 5xx and 409 `idempotency-key-running`, by code. */
  retried: Record<string, number>;
  resumedUploads: number;
  partsSent: number;
  partsSentAgain: number;
}

export function newTally(): Tally {
  return {
    requests: 0,
    connectionErrors: 0,
    timeouts: 0,
    repliesLost: 0,
    retried: {},
    resumedUploads: 0,
    partsSent: 0,
    partsSentAgain: 0,
  };
}

export interface Crew {
  stage: Stage;
  chance: Chance;
  tally: Tally;
  /** How often the answer to a request with an Idempotency-Key gets lost on its way, from 0 to 1. */
  lostReplyShare: number;
  /** How many requests are under way: a kill should hit some. */
  underWay: number;
  deadlineMs: number;
}

export interface Request {
  method: string;
  path: string;
  token: string;
  /** JSON unless it is a form. */
  body?: object | undefined;
  /** Idempotency-Key; an answer to such a request may be lost on purpose. */
  key?: string;
}

export interface Answer {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into answers freely
  body: any;
}

const timeoutMs = 60_000;

export function checkTime(crew: Crew): void {
  if (Date.now() > crew.deadlineMs) throw new TooLate("The run ended before the work.");
}

export async function call(crew: Crew, request: Request): Promise<Answer> {
  let losesReply = request.key !== undefined && crew.chance.next() < crew.lostReplyShare;
  for (;;) {
    checkTime(crew);
    await crew.stage.whenUp();
    const answer = await tryOnce(crew, request);
    if (answer === null) {
      await pause(100 + crew.chance.between(0, 200));
      continue;
    }
    if (losesReply) {
      losesReply = false;
      crew.tally.repliesLost += 1;
      continue;
    }
    const again = waitOf(crew, answer);
    if (again === null) return answer;
    await pause(again);
  }
}

async function tryOnce(
  crew: Crew,
  { method, path, token, body, key }: Request,
): Promise<(Answer & { retryAfter: string | null }) | null> {
  const isForm = body instanceof FormData;
  const headers: Record<string, string> = { authorization: `Bearer ${token}` };
  if (key !== undefined) headers["idempotency-key"] = key;
  if (body !== undefined && !isForm) headers["content-type"] = "application/json";
  const sent = body === undefined ? null : isForm ? body : JSON.stringify(body);
  return underWay(crew, async () => {
    const response = await fetch(`${crew.stage.url}${path}`, {
      method,
      headers,
      body: sent,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    return { status: response.status, body: parse(text), retryAfter: response.headers.get("retry-after") };
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { code: "not-json", detail: text.slice(0, 200) };
  }
}

/** Null when the connection broke before the whole answer was there. */
export async function underWay<Result>(crew: Crew, work: () => Promise<Result>): Promise<Result | null> {
  crew.underWay += 1;
  crew.tally.requests += 1;
  try {
    return await work();
  } catch (error) {
    crew.tally.connectionErrors += 1;
    if ((error as Error).name === "TimeoutError") crew.tally.timeouts += 1;
    return null;
  } finally {
    crew.underWay -= 1;
  }
}

function waitOf(crew: Crew, { status, body, retryAfter }: Answer & { retryAfter: string | null }): number | null {
  const code = String(body?.code ?? status);
  // Waiting some seconds brings back a rate, but no quota.
  if (code === "quota-exceeded") return null;
  if (status < 500 && status !== 429 && code !== "idempotency-key-running") return null;
  crew.tally.retried[code] = (crew.tally.retried[code] ?? 0) + 1;
  return Math.min(5_000, retryAfter === null ? 500 : Number(retryAfter) * 1_000 + crew.chance.between(0, 300));
}

/** Answers with the bytes; null when it is not there (404). */
export async function download(crew: Crew, path: string, token: string): Promise<Buffer | null> {
  for (;;) {
    checkTime(crew);
    await crew.stage.whenUp();
    const found = await underWay(crew, async () => {
      const response = await fetch(`${crew.stage.url}${path}`, {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(timeoutMs),
      });
      const bytes = Buffer.from(await response.arrayBuffer());
      return { status: response.status, bytes };
    });
    if (found?.status === 200) return found.bytes;
    if (found && found.status < 500) return null;
    await pause(300);
  }
}

/** At most so many at once. */
export function makeGate(width: number): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let free = width;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
