/** Keeping and asking for what happened: the system's log and security events. */
import type { Ctx } from "#core/context";
import { makeId } from "#core/ids";
import { type LogFields, redact } from "#core/log";
import { type PageQuery, readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import type { AuditRow } from "#core/tables";
import { actionsOf, eventTypeOf, likePattern, logCategoryOf } from "./rules.ts";
import type { LogQuery, SecurityLogQuery } from "./shapes.ts";
import { insertLogs, listLogs, listSecurityEvents } from "./store.ts";
import type { SystemLogRow } from "./tables.ts";

export { likePattern } from "./rules.ts";

export interface KeptLine {
  level: "warn" | "error";
  event: string;
  fields: LogFields;
  at: number;
}

const maxDetailsLength = 4_000;

/** Writes lines of the log, redacted. At most 50 at once. */
export async function keepLines(ctx: Ctx, lines: readonly KeptLine[]): Promise<void> {
  if (lines.length === 0) return;
  await insertLogs(
    ctx.db,
    lines.slice(0, 50).map((line) => toRow(ctx, line)),
  );
}

const columns = ["userId", "workspaceId", "conversionId", "jobId"] as const;

function toRow(ctx: Ctx, { level, event, fields, at }: KeptLine): SystemLogRow {
  const rest = Object.fromEntries(
    Object.entries(fields).filter(([name]) => !(columns as readonly string[]).includes(name)),
  );
  const details = JSON.stringify(redact(rest));
  return {
    // Never a function of an idempotency key: a repeated run logs lines of its own.
    id: makeId("log", at, ctx.random(16)),
    level,
    category: logCategoryOf(event),
    event,
    userId: idIn(fields["userId"]),
    workspaceId: idIn(fields["workspaceId"]),
    conversionId: idIn(fields["conversionId"]),
    jobId: idIn(fields["jobId"]),
    requestId: ctx.requestId,
    message: messageOf(event, fields),
    details: details.length <= maxDetailsLength ? details : JSON.stringify({ tooLong: Object.keys(rest).slice(0, 50) }),
    at,
  };
}

function idIn(value: unknown): string | null {
  return typeof value === "string" ? value.slice(0, 100) : null;
}

function messageOf(event: string, fields: LogFields): string {
  const { error, message, problem } = fields;
  const words = error instanceof Error ? (redact(error) as { message: unknown }).message : (message ?? problem);
  return typeof words === "string" ? `${event}: ${String(redact(words))}`.slice(0, 1_000) : event;
}

const placeOf = (query: PageQuery) => ({ before: readCursor(query), rows: query.limit + 1 });
const iso = (at: number) => new Date(at).toISOString();
const parsed = (text: string) => JSON.parse(text) as Record<string, unknown>;

/** Warnings and errors of the system, newest first. */
export async function logPage(ctx: Ctx, query: LogQuery) {
  const like = query.text === undefined ? null : likePattern(query.text);
  if (query.text !== undefined && like === null)
    throw new Problem("validation-failed", { detail: "text: at most 48 bytes, each of \\ % _ counted twice." });
  const rows = await listLogs(ctx.db, { ...query, like }, placeOf(query));
  return toPage(rows, query.limit, (row) => ({ ...row, details: parsed(row.details), at: iso(row.at) }));
}

export async function securityLogPage(ctx: Ctx, query: SecurityLogQuery) {
  const actions = query.event_type === undefined ? null : actionsOf(query.event_type);
  const rows = await listSecurityEvents(ctx.db, { ...query, actions }, placeOf(query));
  return toPage(rows, query.limit, (row) => ({
    ...toEntry(row),
    eventType: eventTypeOf(row.action),
    workspaceId: row.workspaceId,
  }));
}

function toEntry(row: AuditRow) {
  const { workspaceId: _, details, before, after, createdAt, ...rest } = row;
  return {
    ...rest,
    details: parsed(details),
    before: before === null ? null : parsed(before),
    after: after === null ? null : parsed(after),
    createdAt: iso(createdAt),
  };
}
