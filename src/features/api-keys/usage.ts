/**
 * Counts uses of keys by day and outcome without a write on the path of a request: each isolate adds up in memory and writes all sums
 * together some seconds later, behind an answer. What an isolate had not written when it was removed is lost; nothing is decided by it.
 */
import type { Ctx, Database, WorkspaceCtx } from "#core/context";
import type { Statement } from "#core/job";
import { dayOf, type Outcome } from "./rules.ts";
import { addUses, type KeyUse, listUses } from "./store.ts";

/** Written at once when so many are waiting. */
const manyUses = 500;
const maxRows = 2_000;
/** After this long a writer that was under way is taken for lost with its request. */
const writerPatienceMs = 60_000;

const waiting = new Map<string, KeyUse>();
let waitingUses = 0;
let writerSinceMs: number | null = null;

type CountCtx = Pick<Ctx, "db" | "settings" | "now" | "later">;

export function countUse(ctx: CountCtx, keyId: string, outcome: Outcome): void {
  const nowMs = ctx.now();
  add({ keyId, day: dayOf(nowMs), outcome, uses: 1 });
  if (waitingUses >= manyUses || waiting.size >= maxRows) return ctx.later(writeUses(ctx.db));
  const waitMs = ctx.settings.keyUsageFlushSeconds * 1_000;
  if (waitMs === 0 || (writerSinceMs !== null && nowMs - writerSinceMs < writerPatienceMs)) return;
  writerSinceMs = nowMs;
  ctx.later(scheduler.wait(waitMs).then(() => writeUses(ctx.db)));
}

function add(use: KeyUse): void {
  const name = `${use.keyId} ${use.day} ${use.outcome}`;
  waiting.set(name, { ...use, uses: use.uses + (waiting.get(name)?.uses ?? 0) });
  waitingUses += use.uses;
}

/** Writes what this isolate has counted. A failed write is counted again. */
export async function writeUses(db: Database): Promise<void> {
  const uses = [...waiting.values()];
  waiting.clear();
  waitingUses = 0;
  writerSinceMs = null;
  const [first, ...rest]: Statement[] = addUses(db, uses);
  if (!first) return;
  try {
    await db.batch([first, ...rest]);
  } catch (error) {
    for (const use of uses) if (waiting.size < maxRows) add(use);
    throw error;
  }
}

const dayMs = 86_400_000;

/** Uses of one key on the last `days` days, days without any among them. The caller has seen that the key is the workspace's. */
export async function usesOf(ctx: WorkspaceCtx, keyId: string, days: number) {
  await writeUses(ctx.db);
  const last = ctx.now();
  const shown = Array.from({ length: days }, (_, index) => dayOf(last - (days - 1 - index) * dayMs));
  const uses = await listUses(ctx.db, keyId, shown[0] ?? dayOf(last));
  const items = shown.map((day) => ({ day, ...summed(uses.filter((use) => use.day === day)) }));
  return { keyId, from: shown[0] ?? "", to: shown.at(-1) ?? "", ...summed(uses), items };
}

function summed(uses: readonly KeyUse[]): { total: number; outcomes: Partial<Record<Outcome, number>> } {
  const counts: Partial<Record<Outcome, number>> = {};
  for (const { outcome, uses: times } of uses) counts[outcome] = (counts[outcome] ?? 0) + times;
  return { total: uses.reduce((sum, use) => sum + use.uses, 0), outcomes: counts };
}
