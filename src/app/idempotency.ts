/**
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the same key and body get the same answer for 24 hours, per workspace and
 * operation. A run that died holds the key for ten seconds; then the same request may run again, with the ids of the first run.
 */
import { createHash } from "node:crypto";
import type { AnyEndpoint } from "#core/endpoint";
import { claimKey, findKey, freeKey, keepAnswer } from "#core/idempotency-store";
import { Problem } from "#core/problem";
import type { AppCtx } from "./context.ts";
import type { RawInput } from "./mount.ts";

interface Answer {
  status: number;
  body: unknown;
  headers: Record<string, string>;
}

interface Call {
  spec: AnyEndpoint;
  request: Request;
  input: RawInput;
}

export async function withIdempotency(ctx: AppCtx, call: Call, run: () => Promise<Answer>): Promise<Answer> {
  const key = call.request.headers.get("idempotency-key");
  if (key === null) return run();
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw new Problem("idempotency-key-invalid");
  const scope = (ctx as unknown as { workspaceId: string }).workspaceId;
  const id = { scope, operation: call.spec.name, key };
  const requestHash = hashOf(call);
  const claimed = await claimKey(ctx, { ...id, requestHash });
  if (!claimed) return replay(ctx, id, requestHash);
  ctx.isReplay = claimed.isReplay;
  ctx.idSource = { seed: `${scope}\n${call.spec.name}\n${key}`, createdAt: claimed.createdAt, next: 0 };
  try {
    const answer = await run();
    await keepAnswer(ctx, id, { status: answer.status, body: JSON.stringify(withoutSecrets(answer.body, call.spec.secrets ?? [])) });
    return answer;
  } catch (error) {
    // A refused request changed nothing, so the key is free for the corrected one; an unknown failure keeps its ids and its lock.
    if (error instanceof Problem && error.status < 500) await freeKey(ctx, id);
    throw error;
  }
}

async function replay(ctx: AppCtx, id: { scope: string; operation: string; key: string }, requestHash: string): Promise<Answer> {
  const kept = await findKey(ctx, id);
  if (kept && kept.requestHash !== requestHash) throw new Problem("idempotency-key-reused");
  if (!kept || kept.status === null) {
    const seconds = Math.max(1, Math.ceil(((kept?.lockedUntil ?? 0) - ctx.now()) / 1_000));
    throw new Problem("idempotency-key-running", { headers: { "retry-after": String(seconds) } });
  }
  const body = kept.body === null ? undefined : (JSON.parse(kept.body) as unknown);
  return { status: kept.status, body, headers: { "idempotency-replayed": "true" } };
}

/** What makes two requests the same: the target and the body, or, for a streamed form, its declared length. */
function hashOf({ request, input, spec }: Call): string {
  const url = new URL(request.url);
  const body = spec.body ? input.bodyText : `${(request.headers.get("content-type") ?? "").split(";")[0]} ${request.headers.get("content-length")}`;
  return createHash("sha256").update(`${url.pathname}${url.search}\n`).update(body).digest("hex");
}

function withoutSecrets(body: unknown, secrets: readonly string[]): unknown {
  if (secrets.length === 0 || typeof body !== "object" || body === null) return body;
  return Object.fromEntries(Object.entries(body).filter(([name]) => !secrets.includes(name)));
}
