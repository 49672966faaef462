/** The statement that reads a workspace's trail. */
import { and, desc, eq, gte, lt, lte } from "drizzle-orm";
import type { Database } from "#core/context";
import { auditLog, type AuditRow } from "#core/tables";

interface TrailFilter {
  action?: string | undefined;
  actorId?: string | undefined;
  target?: string | undefined;
  category?: AuditRow["category"] | undefined;
  severity?: AuditRow["severity"] | undefined;
  from: number | null;
  to: number | null;
  before: string | null;
  limit: number;
}

const equal = ["action", "actorId", "target", "category", "severity"] as const;

export async function listTrail(db: Database, workspaceId: string, filter: TrailFilter): Promise<AuditRow[]> {
  const given = equal.flatMap((name) => {
    const value = filter[name];
    return value === undefined ? [] : [eq(auditLog[name], value)];
  });
  return db
    .select()
    .from(auditLog)
    .where(
      and(
        eq(auditLog.workspaceId, workspaceId),
        ...given,
        filter.from === null ? undefined : gte(auditLog.createdAt, filter.from),
        filter.to === null ? undefined : lte(auditLog.createdAt, filter.to),
        filter.before === null ? undefined : lt(auditLog.id, filter.before),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(filter.limit);
}
