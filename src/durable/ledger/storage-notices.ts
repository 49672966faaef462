/** When the workspace is told that its storage fills up. Storage has no period: its notices come once a calendar month. */
import type { Book } from "./book.ts";
import * as journal from "./journal.ts";

export interface StorageLevel {
  used: number;
  limit: number | null;
  nowMs: number;
}

/** Notes what has to be told in the book; true: there is something. */
export function tellStorage({ book, sql }: { book: Book; sql: SqlStorage }, level: StorageLevel): boolean {
  const { used, limit, nowMs } = level;
  if (limit === null || limit === 0 || used * 100 < limit * 80) return false;
  const day = new Date(nowMs);
  const startMs = Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 1);
  const endMs = Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 1);
  let isNew = false;
  for (const percent of [80, 100] as const) {
    const name = `storage:${percent}`;
    if (used * 100 < limit * percent || journal.readFact(sql, name) === String(startMs)) continue;
    journal.writeFact(sql, name, String(startMs));
    book.notices.push({ meter: "storage", level: percent, used, limit, startMs, endMs, atMs: nowMs });
    isNew = true;
  }
  return isNew;
}
