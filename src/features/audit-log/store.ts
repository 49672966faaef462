/** Every statement about logs, and the questions to the audit trail. Entries of the trail are written by `core/audit` alone. */
import { lt } from "drizzle-orm";
import type { Ctx, Database } from "#core/context";
import type { Statement } from "#core/job";
import { messageLogs, systemLogs, type SystemLogRow } from "./tables.ts";

/** D1 takes 100 parameters a statement, and a line has 12. */
const rowsEach = 8;

export async function insertLogs(db: Database, rows: readonly SystemLogRow[]): Promise<void> {
  const statements: Statement[] = [];
  for (let start = 0; start < rows.length; start += rowsEach)
    statements.push(db.insert(systemLogs).values(rows.slice(start, start + rowsEach)));
  const [first, ...others] = statements;
  if (first) await db.batch([first, ...others]);
}

/** Lines of the system and messages that are older. */
export function purgeLogs(ctx: Ctx, before: number): [Statement, Statement] {
  return [
    ctx.db.delete(systemLogs).where(lt(systemLogs.at, before)),
    ctx.db.delete(messageLogs).where(lt(messageLogs.at, before)),
  ];
}
