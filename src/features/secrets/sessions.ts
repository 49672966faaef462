/** Whether the session of a session key still lives: asked of its session-store object each time, never remembered. */
import type { Ctx } from "#core/context";
import { checkSession, listSessions } from "#durable/session-store/client";

type SessionCtx = Pick<Ctx, "objects"> & { now(): number };

/** When the session will end unless it is renewed (milliseconds); null: it has ended. */
export async function sessionEnd(
  ctx: SessionCtx,
  session: { userId: string; sessionId: string },
): Promise<number | null> {
  const check = await checkSession(ctx.objects.SESSION_STORE, session, { nowMs: ctx.now(), maxAgeMs: 0 });
  return check.active ? check.expiresAtMs : null;
}

/** The living sessions of one person, each with its end: one call, however many session keys a page shows. */
export async function sessionEnds(ctx: SessionCtx, userId: string): Promise<ReadonlyMap<string, number>> {
  const sessions = await listSessions(ctx.objects.SESSION_STORE, { userId, nowMs: ctx.now() });
  return new Map(sessions.map((session) => [session.sessionId, session.expiresAtMs]));
}
