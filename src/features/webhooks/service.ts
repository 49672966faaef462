/** What the other features ask: tell the workspace's endpoints of an event. */
import type { Enqueued } from "#core/job";
import type { Ctx } from "#core/context";
import type { EventTypeName } from "./events.ts";
import { fanOutJob } from "./jobs/fan-out.ts";
import { anyoneListens } from "./store.ts";

export type { EventTypeName } from "./events.ts";

/** Endpoints get names and links; whoever wants more asks for it. */
const maxBodyCharacters = 20_000;

/**
 * The work that tells every endpoint that wants it: put it into the batch of its cause by `commitWithJobs`, or as the last argument of a
 * job's `done`. No row is made while no endpoint of the workspace is on.
 *
 * @example
 * await commitWithJobs(ctx, [insertMember(ctx, row)], webhookEvent(ctx, "member.joined", { userId, role }));
 */
export function webhookEvent(
  ctx: Pick<Ctx, "db" | "now" | "newId"> & { workspaceId: string },
  type: EventTypeName,
  data: Record<string, unknown>,
): Enqueued[] {
  const at = ctx.now();
  const body = JSON.stringify({ type, timestamp: new Date(at).toISOString(), data });
  if (body.length > maxBodyCharacters) throw new RangeError(`an event has at most ${maxBodyCharacters} characters`);
  const { db, now, newId, workspaceId } = ctx;
  // Nobody's in particular: the event is the workspace's.
  const enqueueCtx = { db, now, newId, workspaceId };
  const payload = { eventId: ctx.newId("event"), type, body, at };
  return [fanOutJob.row(enqueueCtx, payload, { when: anyoneListens(workspaceId) })];
}
