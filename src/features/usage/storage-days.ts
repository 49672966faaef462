/** What was stored on each day: as it was when the day ended, and for today as it is. */
import type { Ctx } from "#core/context";
import { readTotals } from "#durable/ledger/client";
import { dayName, type Period } from "#lib/usage-period";
import { storageDays } from "./store.ts";

const dayMs = 24 * 3_600_000;

type MeasureCtx = Pick<Ctx, "db" | "objects" | "now"> & { workspaceId: string };

/** Bytes by the name of the day. A day that was not measured yet has what is stored now, one that was missed what the day before it had. */
export async function storageByDay(ctx: MeasureCtx, { startMs, endMs }: Period): Promise<Map<string, number>> {
  const { workspaceId } = ctx;
  const range = { workspaceId, from: dayName(startMs), to: dayName(endMs - 1) };
  const [rows, { used: now }] = await Promise.all([
    storageDays(ctx, range),
    readTotals(ctx.objects.LEDGER, { workspaceId, meter: "storage", nowMs: ctx.now() }),
  ]);
  const measured = new Map(rows.map(({ day, sizeBytes }) => [day, sizeBytes]));
  const days = new Map<string, number>();
  let before = rows[0] && rows[0].day < range.from ? rows[0].sizeBytes : 0;
  for (let at = startMs; at < endMs; at += dayMs) {
    const day = dayName(at);
    before = measured.get(day) ?? (isToBeMeasured(ctx, at) ? now : before);
    days.set(day, before);
  }
  return days;
}

/** What was stored when a period ended, or is stored now while it runs. */
export async function storageAtEnd(ctx: MeasureCtx, { endMs }: Period): Promise<number> {
  const lastDay = { startMs: endMs - dayMs, endMs };
  return (await storageByDay(ctx, lastDay)).get(dayName(lastDay.startMs)) ?? 0;
}

/** Today, and yesterday until the night's measure has come. */
function isToBeMeasured({ now }: Pick<Ctx, "now">, startMs: number): boolean {
  return startMs + 2 * dayMs > now();
}
