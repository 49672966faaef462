/**
 * Answers that were given before to the very same request of the same workspace, for who asks for that. They lie in the platform's cache near the
 * caller: nothing durable is written, it bounds itself, and what is old leaves it. A request that is answered from it reaches no provider and costs
 * nothing.
 */
import { createHash } from "node:crypto";
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import type { Guard } from "#features/guardrails/service";
import type { Operation } from "./operations.ts";

const maxEntryBytes = 1_048_576;
const usualSeconds = 3_600;
const maxSeconds = 30 * 24 * 3_600;
const maxDepth = 256;
/** In the key: an entry that an older version wrote in another form is not found. */
const version = 1;

/** Members that say who asks or how the answer travels, not what is asked. */
const beside = new Set([
  "stream",
  "stream_options",
  "user",
  "metadata",
  "store",
  "safety_identifier",
  "prompt_cache_key",
]);

export interface Slot {
  /** Null: the request did not ask for the cache, or its answer is not the same twice. */
  key: Request | null;
  forSeconds: number;
}

export const closed: Slot = { key: null, forSeconds: 0 };

/**
 * `X-Overtone-Cache: on` asks for it; answers are kept for `X-Overtone-Cache-Seconds` (3,600 unless said). Where chance has a say in the answer
 * (a temperature above 0, or none named) it is not used unless the request says `X-Overtone-Cache: any-temperature`.
 */
export function slotOf(
  ctx: WorkspaceCtx,
  asked: {
    operation: Operation;
    body: JsonObject;
    request: Request;
    showsUsage: boolean;
    guard: Pick<Guard, "version"> | null;
  },
): Slot {
  const { operation, body, request, showsUsage, guard } = asked;
  const wish = request.headers.get("x-overtone-cache");
  if (wish === null || wish === "off") return closed;
  if (wish !== "on" && wish !== "any-temperature")
    throw new Problem("validation-failed", { detail: "X-Overtone-Cache is on, any-temperature or off." });
  const hasChance = operation.lengthMembers.length > 0 && body["temperature"] !== 0;
  if (hasChance && wish === "on") return closed;
  const way = body["stream"] === true ? `stream ${showsUsage}` : "plain";
  const said = JSON.stringify(sorted(Object.fromEntries(Object.entries(body).filter(([name]) => !beside.has(name)))));
  // An answer that older guardrails let through is another one.
  const rules = guard ? ` ${guard.version}` : "";
  const hash = createHash("sha256").update(`${version}${rules}\n${operation.name}\n${way}\n${said}`).digest("hex");
  // The workspace is in the key: no request of another one can ever name the entry.
  const key = new Request(`https://model-answers.invalid/${ctx.workspaceId}/${hash}`);
  return { key, forSeconds: secondsOf(request) };
}

function secondsOf(request: Request): number {
  const text = request.headers.get("x-overtone-cache-seconds");
  if (text === null) return usualSeconds;
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new Problem("validation-failed", { detail: "X-Overtone-Cache-Seconds is a whole number from 1." });
  return Math.min(Number(text), maxSeconds);
}

/** Two requests whose members stand in another order are the same. */
function sorted(value: unknown, depth = 0): unknown {
  if (typeof value !== "object" || value === null) return value;
  // What the model reads is bounded before; any other member may be of any form.
  if (depth > maxDepth)
    throw new Problem("validation-failed", { detail: `Nested deeper than ${maxDepth} levels, which is not cached.` });
  if (Array.isArray(value)) return value.map((item) => sorted(item, depth + 1));
  if (!isObject(value)) return value;
  const names = Object.keys(value).toSorted();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name], depth + 1)]));
}

export interface Kept {
  text: string;
  provider: string;
  ageSeconds: number;
}

export async function readKept(ctx: WorkspaceCtx, { key }: Slot): Promise<Kept | null> {
  const found = key ? await caches.default.match(key) : undefined;
  if (!found) return null;
  const keptAt = Number(found.headers.get("x-kept-at"));
  return {
    text: await found.text(),
    provider: found.headers.get("x-provider") ?? "",
    ageSeconds: Math.max(Math.floor((ctx.now() - keptAt) / 1_000), 0),
  };
}

/** Behind the answer; that it fails changes nothing. */
export function keep(ctx: WorkspaceCtx, { key, forSeconds }: Slot, answer: { text: string; provider: string }): void {
  if (!key || answer.text.length > maxEntryBytes) return;
  const headers = {
    "cache-control": `max-age=${forSeconds}`,
    "content-type": "text/plain",
    "x-kept-at": String(ctx.now()),
    "x-provider": answer.provider,
  };
  ctx.later(caches.default.put(key, new Response(answer.text, { headers })));
}

/** Collects the bytes of a stream as they pass, up to what an entry may have. */
export interface Tape {
  add(bytes: Uint8Array<ArrayBuffer>): void;
  /** Null: it was too long. */
  text(): string | null;
}

export function openTape(): Tape {
  let parts: Uint8Array<ArrayBuffer>[] | null = [];
  let size = 0;
  return {
    add(bytes) {
      size += bytes.length;
      if (size > maxEntryBytes) parts = null;
      parts?.push(bytes);
    },
    text: () => (parts ? Buffer.concat(parts).toString("utf8") : null),
  };
}
