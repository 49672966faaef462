/** The trail of one workspace: who did what in it, newest first. Only the question; entries are written by `core/audit`. */
import type { WorkspaceCtx } from "#core/context";
import { readCursor, toPage } from "#core/page";
import type { AuditRow } from "#core/tables";
import type { TrailQuery } from "./shapes.ts";
import { listTrail } from "./trail-store.ts";

function toEntry(row: AuditRow) {
  const { id, action, category, severity, actorKind, actorId, target, requestId, address, repeats } = row;
  return {
    id,
    action,
    category,
    severity,
    actorKind,
    actorId,
    target,
    details: valuesOf(row.details) ?? {},
    before: valuesOf(row.before),
    after: valuesOf(row.after),
    requestId,
    address,
    repeats,
    createdAt: new Date(row.createdAt).toISOString(),
  };
}

function valuesOf(text: string | null): Record<string, unknown> | null {
  return text === null ? null : (JSON.parse(text) as Record<string, unknown>);
}

export async function listTrailPage(ctx: WorkspaceCtx, query: TrailQuery) {
  const { from, to, limit, cursor: _, ...filter } = query;
  const rows = await listTrail(ctx.db, ctx.workspaceId, {
    ...filter,
    from: from === undefined ? null : Date.parse(from),
    to: to === undefined ? null : Date.parse(to),
    before: readCursor(query),
    limit: limit + 1,
  });
  return toPage(rows, limit, toEntry);
}
