/** Every statement about logs, and the questions to the audit trail. Entries of the trail are written by `core/audit` alone. */
import { and, desc, eq, gte, inArray, lt, or, type SQL, sql } from "drizzle-orm";
import type { Ctx, Database } from "#core/context";
import type { Statement } from "#core/job";
import { auditLog, type AuditRow } from "#core/tables";
import type { AuditCategory } from "#core/audit";
import type { LogQuery, SecurityLogQuery } from "./shapes.ts";
import { systemLogs, type SystemLogRow } from "./tables.ts";

/** D1 takes 100 parameters a statement, and a line has 12. */
const rowsEach = 8;

export async function insertLogs(db: Database, rows: readonly SystemLogRow[]): Promise<void> {
  const statements: Statement[] = [];
  for (let start = 0; start < rows.length; start += rowsEach)
    statements.push(db.insert(systemLogs).values(rows.slice(start, start + rowsEach)));
  const [first, ...others] = statements;
  if (first) await db.batch([first, ...others]);
}

/** Lines that are older. */
export function purgeLogs(ctx: Ctx, before: number): Statement {
  return ctx.db.delete(systemLogs).where(lt(systemLogs.at, before));
}

/** Where a page starts, and how many rows it asks for. */
interface Place {
  before: string | null;
  rows: number;
}

/** `like`: a pattern made by `likePattern`. */
export async function listLogs(
  db: Database,
  query: LogQuery & { like: string | null },
  place: Place,
): Promise<SystemLogRow[]> {
  const { level, category, event, userId, workspaceId, conversionId, jobId, requestId, like, from, to } = query;
  if (level === "info" || level === "debug") return [];
  const equal: SQL[] = Object.entries({ level, category, event, userId, workspaceId, conversionId, jobId, requestId })
    .filter((entry): entry is [keyof typeof systemLogs.$inferSelect, string] => entry[1] !== undefined)
    .map(([name, value]) => eq(systemLogs[name], value));
  return db
    .select()
    .from(systemLogs)
    .where(
      and(
        ...equal,
        like === null ? undefined : sql`${systemLogs.message} like ${like} escape '\\'`,
        from === undefined ? undefined : gte(systemLogs.at, from),
        to === undefined ? undefined : lt(systemLogs.at, to),
        place.before === null ? undefined : lt(systemLogs.id, place.before),
      ),
    )
    .orderBy(desc(systemLogs.id))
    .limit(place.rows);
}

/** What tells of access to accounts, keys and the product itself; what people do with their files is nobody's business here. */
const securityCategories: AuditCategory[] = ["auth", "account", "key", "staff", "system"];

export async function listSecurityEvents(
  db: Database,
  query: SecurityLogQuery & { actions: string[] | null },
  place: Place,
): Promise<AuditRow[]> {
  const { actions, severity, category, userId, requestId, from, to } = query;
  return db
    .select()
    .from(auditLog)
    .where(
      and(
        category === undefined ? inArray(auditLog.category, securityCategories) : eq(auditLog.category, category),
        actions === null ? undefined : inArray(auditLog.action, actions),
        severity === undefined ? undefined : eq(auditLog.severity, severity),
        userId === undefined ? undefined : or(eq(auditLog.actorId, userId), eq(auditLog.target, userId)),
        requestId === undefined ? undefined : eq(auditLog.requestId, requestId),
        from === undefined ? undefined : gte(auditLog.createdAt, from),
        to === undefined ? undefined : lt(auditLog.createdAt, to),
        place.before === null ? undefined : lt(auditLog.id, place.before),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(place.rows);
}
