/**
 * Keeps warnings and errors of the log in the database, where staff can ask for them. Best effort by design: lines are gathered, written
 * after the answer and bounded; what cannot be written is in the platform's own log all the same.
 */
import type { Log, LogFields } from "#core/log";
import { type KeptLine, keepLines } from "#features/audit-log/service";
import type { AppCtx } from "./app-context.ts";

/** Time for the lines of one request to come together. */
const gatherMs = 20;
/** Lines a minute of one isolate: a fault that logs without end does not fill the table. */
const maxEachMinute = 100;
const maxGathered = 50;

const budget = { minute: 0, taken: 0 };

/** The given log, which also keeps what it is told at the levels warn and error. */
export function keepingLog(log: Log, ctxOf: () => AppCtx): Log {
  const gathered: KeptLine[] = [];
  return (level, event, fields = {}) => {
    log(level, event, fields);
    if (level !== "warn" && level !== "error") return;
    const ctx = ctxOf();
    if (gathered.length >= maxGathered || !takesBudget(ctx.now())) return;
    gathered.push({ level, event, fields: withPlace(ctx, fields), at: ctx.now() });
    if (gathered.length === 1) writeSoon(ctx, log, gathered);
  };
}

function takesBudget(nowMs: number): boolean {
  const minute = Math.floor(nowMs / 60_000);
  if (budget.minute !== minute) Object.assign(budget, { minute, taken: 0 });
  budget.taken += 1;
  return budget.taken <= maxEachMinute;
}

/** Who asked and where, once that is known; what the line itself says comes first. */
function withPlace(ctx: AppCtx & { workspaceId?: string }, fields: LogFields): LogFields {
  const userId = ctx.actor.kind === "user" || ctx.actor.kind === "api-key" ? ctx.actor.userId : undefined;
  return { userId, workspaceId: ctx.workspaceId, ...fields };
}

function writeSoon(ctx: AppCtx, log: Log, gathered: KeptLine[]): void {
  const write = async () => {
    await scheduler.wait(gatherMs);
    await keepLines(ctx, gathered.splice(0));
  };
  try {
    // Told to the platform's log alone: a line about lines that cannot be kept would ask to be kept.
    ctx.execution.waitUntil(write().catch((error: unknown) => log("warn", "system-log.not-kept", { error })));
  } catch {
    // The invocation is over, and nothing may be started any more.
    gathered.length = 0;
  }
}
