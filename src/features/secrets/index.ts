/** Encryption keys, data keys and the rotation of both levels of keys above them. */
import type { Ctx } from "#core/context";
import { defineFeature } from "#core/feature";
import { commitWithJobs, type Enqueued } from "#core/job";
import { listJobs } from "#core/job-store";
import { defineSchedule } from "#core/schedule";
import { unendedStates } from "#core/states";
import { rewrapDataKeys } from "./jobs/rewrap-data-keys.ts";
import { rewrapEncryptionKeys } from "./jobs/rewrap-encryption-keys.ts";
import { routes } from "./routes.ts";
import { countStaleKeys } from "./service.ts";
import { listUnfinishedRotations } from "./store.ts";

/** Work for the deployment itself belongs to no workspace of a person. */
const systemWorkspaceId = "system";
const maxRotationsPerTick = 100;

/** Starts what is due: the master rotation when a key is wrapped by an older master key, and rotations that left data keys behind. */
export async function startRewraps(ctx: Ctx): Promise<void> {
  const due = [...(await dueMasterRotation(ctx)), ...(await dueRotations(ctx))];
  await commitWithJobs(ctx, [], due);
}

async function dueMasterRotation(ctx: Ctx): Promise<Enqueued[]> {
  const { currentVersion, staleKeys } = await countStaleKeys(ctx);
  if (staleKeys === 0 || (await isWaiting(ctx, systemWorkspaceId, rewrapEncryptionKeys.name))) return [];
  return [rewrapEncryptionKeys.row({ ...ctx, workspaceId: systemWorkspaceId }, { masterVersion: currentVersion })];
}

async function dueRotations(ctx: Ctx): Promise<Enqueued[]> {
  const due: Enqueued[] = [];
  for (const { id, workspaceId } of await listUnfinishedRotations(ctx, maxRotationsPerTick)) {
    if (await isWaiting(ctx, workspaceId, rewrapDataKeys.name)) continue;
    due.push(rewrapDataKeys.row({ ...ctx, workspaceId }, { encryptionKeyId: id }));
  }
  return due;
}

async function isWaiting(ctx: Ctx, workspaceId: string, name: string): Promise<boolean> {
  const unfinished = await listJobs(ctx, workspaceId, {
    states: [...unendedStates],
    name,
    before: null,
    limit: 1,
  });
  return unfinished.length > 0;
}

export default defineFeature({
  name: "secrets",
  summary: "Encryption keys: make, import, rotate, deactivate.",
  endpoints: routes,
  jobs: [rewrapDataKeys, rewrapEncryptionKeys],
  schedules: [defineSchedule({ name: "secrets.rewrap", every: "hour", run: startRewraps })],
});
