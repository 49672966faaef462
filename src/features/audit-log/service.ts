/** Keeping and asking for what happened: the system's log, security events, and the trail of a workspace. */
import type { Ctx } from "#core/context";
import { makeId } from "#core/ids";
import { type LogFields, redact } from "#core/log";
import { logCategoryOf } from "./rules.ts";
import { insertLogs } from "./store.ts";
import type { SystemLogRow } from "./tables.ts";

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
