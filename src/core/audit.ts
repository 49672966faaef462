/** The audit trail: a statement that goes into the same batch as the act it records, so that neither exists alone. */
import { lt } from "drizzle-orm";
import type { Ctx } from "./context.ts";
import type { Statement } from "./work.ts";
import { redact } from "./log.ts";
import { auditLog } from "./tables.ts";

export function auditEntry(
  ctx: Ctx & { workspaceId?: string },
  action: `${string}.${string}`,
  about: { target?: string; details?: Record<string, unknown> } = {},
): Statement {
  const entry = {
    id: ctx.newId("audit"),
    workspaceId: ctx.workspaceId ?? null,
    actorKind: ctx.actor.kind,
    actorId: actorId(ctx),
    action,
    target: about.target ?? null,
    details: JSON.stringify(redact(about.details ?? {})),
    requestId: ctx.requestId,
    address: ctx.origin.address,
    createdAt: ctx.now(),
  };
  // A repeated run of an interrupted request makes the same ids: the entry of the first run stands.
  return ctx.db.insert(auditLog).values(entry).onConflictDoNothing();
}

function actorId(ctx: Ctx): string | null {
  if (ctx.actor.kind === "user") return ctx.actor.userId;
  return ctx.actor.kind === "api-key" ? ctx.actor.keyId : null;
}

/** Entries are kept for a year. */
export const auditKeptMs = 365 * 24 * 3_600_000;

export function purgeAudit(ctx: Ctx, before: number): Statement {
  return ctx.db.delete(auditLog).where(lt(auditLog.createdAt, before));
}
