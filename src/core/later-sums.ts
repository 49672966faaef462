/**
 * Adds up in memory what happens too often to be written each time, and writes the sums together some seconds later, behind an answer. What
 * an isolate had not written when it was removed is lost: nothing may be decided by such sums.
 */
import type { Ctx, Database } from "./context.ts";
import { laterTimer } from "./later-timer.ts";
import type { Statement } from "./work.ts";

export type SumCtx = Pick<Ctx, "db" | "settings" | "now" | "later">;

export interface LaterSums<Row> {
  /** Rows of the same name are one. */
  add(ctx: SumCtx, name: string, row: Row): void;
  /** Writes what this isolate has added up. A failed write is added up again. */
  write(db: Database): Promise<void>;
}

/** Written at once when so many are waiting. */
const manyAdded = 500;
const maxRows = 2_000;

export function laterSums<Row>(options: {
  merge(one: Row, other: Row): Row;
  statements(db: Database, rows: Row[]): Statement[];
}): LaterSums<Row> {
  const waiting = new Map<string, Row>();
  let added = 0;
  const timer = laterTimer();

  function keep(name: string, row: Row): void {
    const known = waiting.get(name);
    if (known === undefined && waiting.size >= maxRows) return;
    waiting.set(name, known === undefined ? row : options.merge(known, row));
    added += 1;
  }

  async function write(db: Database): Promise<void> {
    const rows = [...waiting];
    waiting.clear();
    added = 0;
    timer.clear();
    const [first, ...rest] = options.statements(
      db,
      rows.map(([, row]) => row),
    );
    if (!first) return;
    try {
      await db.batch([first, ...rest]);
    } catch (error) {
      for (const [name, row] of rows) keep(name, row);
      throw error;
    }
  }

  return {
    add(ctx, name, row) {
      keep(name, row);
      if (added >= manyAdded || waiting.size >= maxRows) return ctx.later(write(ctx.db));
      timer.start(ctx, () => write(ctx.db));
    },
    write,
  };
}
