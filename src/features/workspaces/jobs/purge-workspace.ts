/** Removes what a deleted workspace stored, once its time is over: objects first, then the keys. Safe to repeat; a living one is left alone. */
import * as z from "zod";
import { auditEntry } from "#core/audit";
import { defineJob, done } from "#core/job";
import { eraseAllResponses } from "#features/chat/store";
import { markAllPurged } from "#features/media/store";
import { eraseAllEntries } from "#features/message-logs/store";
import { eraseGuardrails } from "#features/guardrails/store";
import { eraseAllKeys } from "#features/provider-keys/store";
import { destroyAllKeys } from "#features/secrets/store";
import { findAnyWorkspace, updateWorkspace } from "../store.ts";

const dayMs = 24 * 3_600_000;
const objectsEach = 1_000;
/** 100,000 objects a run: what is left is found again by the next day's tick. */
const maxPages = 100;

export const purgeWorkspaceJob = defineJob({
  name: "workspaces.purge",
  lane: "delivery",
  payload: () => z.object({}),
  attempts: 8,
  async run(ctx) {
    const workspace = await findAnyWorkspace(ctx.db, ctx.workspaceId);
    const keptMs = ctx.settings.retentionDays.deleted * dayMs;
    if (!workspace || workspace.deletedAt === null || workspace.deletedAt + keptMs > ctx.now())
      return done({ purged: false });
    let removed = 0;
    for (let page = 0; page < maxPages; page += 1) {
      const { objects } = await ctx.files.list({ prefix: `w/${ctx.workspaceId}/`, limit: objectsEach });
      if (objects.length === 0) {
        return done({ purged: true, objects: removed }, [
          ...destroyAllKeys(ctx),
          eraseAllKeys(ctx, ctx.now()),
          eraseAllResponses(ctx),
          ...eraseAllEntries(ctx),
          eraseGuardrails(ctx),
          markAllPurged(ctx, ctx.workspaceId),
          updateWorkspace(ctx.db, ctx.workspaceId, { purgedAt: ctx.now() }),
          auditEntry(ctx, "workspace.purged", { target: ctx.workspaceId, details: { objects: removed } }),
        ]);
      }
      await ctx.files.delete(objects.map(({ key }) => key));
      removed += objects.length;
      await ctx.checkpoint({ done: removed, total: removed, step: "removing files" });
    }
    return done({ purged: false, objects: removed });
  },
});
