/**
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the same key and body get the same answer for 24 hours, per workspace and
 * operation, and never another person's. A run that died holds the key for ten seconds; then the same request may run again, with the
 * ids of the first run.
 */
import { createHash } from "node:crypto";
import type { AnyEndpoint } from "#core/endpoint";
import { claimKey, findKey, freeKey, keepAnswer } from "#core/idempotency-store";
import { Problem } from "#core/problem";
import type { AppCtx } from "./app-context.ts";
import type { Answer, RawInput } from "./exchange.ts";
import { isJson, readText } from "./read-body.ts";

interface Call {
  spec: AnyEndpoint;
  request: Request;
  input: RawInput;
}

interface KeyId {
  scope: string;
  operation: string;
  key: string;
}

export async function withIdempotency(ctx: AppCtx, call: Call, run: () => Promise<Answer>): Promise<Answer> {
  const key = call.request.headers.get("idempotency-key");
  if (key === null) return run();
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw new Problem("idempotency-key-invalid");
  const { workspaceId, userId } = ctx as unknown as { workspaceId: string; userId: string };
  const id = { scope: workspaceId, operation: call.spec.name, key };
  const requestHash = hashOf(userId, call.request.url, await bodyOf(call));
  const claimed = await claimKey(ctx, { ...id, requestHash });
  if (!claimed) return replay(ctx, { id, requestHash, answersAnew: call.spec.answersAnew === true }, run);
  ctx.isReplay = claimed.isReplay;
  ctx.idSource = idsOf(id, claimed.createdAt);
  try {
    const answer = await run();
    const body = call.spec.answersAnew
      ? undefined
      : JSON.stringify(withoutSecrets(answer.body, call.spec.secrets ?? []));
    await keepAnswer(ctx, id, { status: answer.status, body });
    return answer;
  } catch (error) {
    // A refused request changed nothing, so the key is free for the corrected one; an unknown failure keeps its ids and its lock.
    if (error instanceof Problem && error.status < 500) await freeKey(ctx, id);
    throw error;
  }
}

interface Repeated {
  id: KeyId;
  requestHash: string;
  answersAnew: boolean;
}

async function replay(
  ctx: AppCtx,
  { id, requestHash, answersAnew }: Repeated,
  run: () => Promise<Answer>,
): Promise<Answer> {
  const kept = await findKey(ctx, id);
  if (kept && kept.requestHash !== requestHash) throw new Problem("idempotency-key-reused");
  if (!kept || kept.status === null) {
    const seconds = Math.max(1, Math.ceil(((kept?.lockedUntil ?? 0) - ctx.now()) / 1_000));
    throw new Problem("idempotency-key-running", { headers: { "retry-after": String(seconds) } });
  }
  const headers = { "idempotency-replayed": "true" };
  if (answersAnew) {
    ctx.isReplay = true;
    ctx.idSource = idsOf(id, kept.createdAt);
    const answer = await run();
    return { ...answer, headers: { ...answer.headers, ...headers } };
  }
  const body = kept.body === null ? undefined : (JSON.parse(kept.body) as unknown);
  return { status: kept.status, body, headers };
}

function idsOf({ scope, operation, key }: KeyId, createdAt: number): AppCtx["idSource"] {
  return { seed: `${scope}\n${operation}\n${key}`, createdAt, next: 0 };
}

/** What makes two requests the same beside the target: the body or, for a streamed form, its type and declared length. */
async function bodyOf({ request, input, spec }: Call): Promise<string> {
  if (spec.body) return input.bodyText;
  const type = request.headers.get("content-type");
  if (!request.body || !isJson(type)) return `${(type ?? "").split(";")[0]} ${request.headers.get("content-length")}`;
  // The handler reads this body itself: it is handed a request that can be read once more.
  const text = await readText(request);
  input.request = new Request(request, { method: request.method, body: text });
  return text;
}

/** With the person, because what one may see of the answer another may not. */
function hashOf(userId: string, target: string, body: string): string {
  const { pathname, search } = new URL(target);
  return createHash("sha256").update(`${userId}\n${pathname}${search}\n`).update(body).digest("hex");
}

function withoutSecrets(body: unknown, secrets: readonly string[]): unknown {
  if (secrets.length === 0 || typeof body !== "object" || body === null) return body;
  return Object.fromEntries(Object.entries(body).filter(([name]) => !secrets.includes(name)));
}
