/**
 * What the composition does for each request of a sub-user: remembers that there was one. Counts stay in this isolate's memory and reach
 * the database at most once a minute for a person, behind an answer.
 */
import type { WorkspaceCtx } from "#core/context";
import { BoundedMap } from "#lib/bounded-map";
import { addRequests } from "./store.ts";

interface Pending {
  workspaceId: string;
  day: string;
  requests: number;
  writtenAt: number;
}

const writeEveryMs = 60_000;
const pending = new BoundedMap<string, Pending>(2_000);

export const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

export function noteRequest(ctx: WorkspaceCtx): void {
  const nowMs = ctx.now();
  const day = dayOf(nowMs);
  const known = pending.get(ctx.userId);
  const noted = known ?? { workspaceId: ctx.workspaceId, day, requests: 0, writtenAt: 0 };
  if (!known) pending.set(ctx.userId, noted);
  if (noted.day !== day && noted.requests > 0) ctx.later(write(ctx, ctx.userId, noted));
  noted.day = day;
  noted.requests += 1;
  if (nowMs - noted.writtenAt >= writeEveryMs) ctx.later(write(ctx, ctx.userId, noted));
}

function write(ctx: Pick<WorkspaceCtx, "db" | "now">, userId: string, noted: Pending): Promise<unknown> {
  const { workspaceId, day, requests } = noted;
  noted.requests = 0;
  noted.writtenAt = ctx.now();
  return ctx.db.batch(addRequests(ctx.db, { userId, workspaceId, day, requests, at: ctx.now() }));
}

/** Writes what this isolate still holds of the given people, so that whoever asks sees it. */
export async function writePending(ctx: WorkspaceCtx, userIds: readonly string[]): Promise<void> {
  for (const userId of userIds) {
    const noted = pending.get(userId);
    if (noted && noted.requests > 0) await write(ctx, userId, noted);
  }
}
