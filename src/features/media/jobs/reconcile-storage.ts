/**
 * Brings what the ledger holds for the files of one workspace in line with the database, which is the truth about what exists: for
 * crashes between the two. Holdings of other features have other ids and are left alone.
 */
import * as z from "zod";
import { defineJob, done, type Outcome } from "#core/job";
import { idPrefixes } from "#core/ids";
import { reconcile } from "#durable/ledger/client";
import { listHoldings } from "../store.ts";

const pageSize = 1_000;
const maxPages = 100;
/** All ids of files lie between these two, in byte order. */
const firstId = `${idPrefixes.file}_`;
const lastId = `${idPrefixes.file}_~`;

export const reconcileStorageJob = defineJob({
  name: "media.reconcile-storage",
  lane: "delivery",
  payload: () => z.object({ afterId: z.string().default(firstId) }),
  attempts: 5,
  async run(ctx, payload): Promise<Outcome> {
    const { workspaceId } = ctx;
    const counts = { added: 0, corrected: 0, dropped: 0 };
    let afterId = payload.afterId;
    for (let page = 0; page < maxPages; page += 1) {
      const holdings = await listHoldings(ctx, workspaceId, afterId, pageSize);
      const isLast = holdings.length < pageSize;
      const throughId = isLast ? lastId : (holdings.at(-1)?.id ?? lastId);
      const outcome = await reconcile(ctx.objects.LEDGER, {
        workspaceId,
        meter: "storage",
        afterId,
        throughId,
        holdings,
      });
      counts.added += outcome.added;
      counts.corrected += outcome.corrected;
      counts.dropped += outcome.dropped;
      await ctx.checkpoint({ done: page + 1, total: 0, step: "reconcile" });
      if (outcome.hasMore) continue;
      if (isLast) {
        if (counts.added + counts.corrected + counts.dropped > 0) ctx.log("warn", "storage.reconciled", counts);
        return done(counts);
      }
      afterId = throughId;
    }
    // A very large workspace goes on in a job of its own; the sweeper offers it.
    return done(counts, [reconcileStorageJob.row(ctx, { afterId }).statement]);
  },
});
