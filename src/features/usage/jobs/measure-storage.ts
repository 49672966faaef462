/** Notes what each workspace stored when a day ended: a page of workspaces, and then a job for the next page. */
import * as z from "zod";
import { defineJob, done, type Outcome } from "#core/job";
import { readTotals } from "#durable/ledger/client";
import { keepStorage, workspacesToMeasure } from "../store.ts";

/** One call of a ledger each; the platform allows 1,000 an invocation. */
const pageSize = 200;
const inParallel = 10;

export const measureStorageJob = defineJob({
  name: "usage.measure-storage",
  lane: "delivery",
  /** `day`: the one that has ended; `after`: the workspace after which the page begins. */
  payload: () => z.object({ day: z.iso.date(), after: z.string().default("") }),
  attempts: 10,
  async run(ctx, { day, after }): Promise<Outcome> {
    const found = await workspacesToMeasure(ctx, { after, limit: pageSize });
    const measured: { workspaceId: string; sizeBytes: number }[] = [];
    for (let from = 0; from < found.length; from += inParallel) {
      const some = found.slice(from, from + inParallel).map(async (workspaceId) => {
        const { used } = await readTotals(ctx.objects.LEDGER, { workspaceId, meter: "storage" });
        return { workspaceId, sizeBytes: used };
      });
      measured.push(...(await Promise.all(some)));
    }
    const last = found.at(-1);
    const isMore = found.length === pageSize && last !== undefined;
    return done(
      { day, measured: measured.length },
      measured.length === 0 ? [] : [keepStorage(ctx, day, measured)],
      isMore ? [measureStorageJob.row(ctx, { day, after: last })] : [],
    );
  },
});
