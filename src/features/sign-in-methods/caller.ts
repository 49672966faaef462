/** Who is signed in, on an operation that is open to strangers as well. Asks the session itself: linking an account bears no stale answer. */
import type { Ctx } from "#core/context";
import { Problem } from "#core/problem";
import { checkOpaqueSession, checkSession } from "#durable/session-store/client";
import { parseSessionToken } from "#durable/session-store/token";
import { verifyAccessToken } from "#features/accounts/access-token";

/** Throws `credentials-required`, `credentials-expired` or `credentials-invalid`. */
export async function signedInUser(ctx: Ctx, request: Request): Promise<{ userId: string; sessionId: string }> {
  const text = /^Bearer (\S{1,4096})$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (text === undefined) throw new Problem("credentials-required", { headers: { "www-authenticate": "Bearer" } });
  const opaque = parseSessionToken(text);
  const subject = opaque ?? (await readAccessToken(ctx, text));
  const options = { nowMs: ctx.now(), maxAgeMs: 0 };
  const check =
    opaque?.kind === "session"
      ? await checkOpaqueSession(ctx.objects.SESSION_STORE, opaque, options)
      : await checkSession(ctx.objects.SESSION_STORE, subject, options);
  if (!check.active || opaque?.kind === "refresh") throw new Problem("credentials-invalid");
  return { userId: subject.userId, sessionId: subject.sessionId };
}

async function readAccessToken(ctx: Ctx, text: string): Promise<{ userId: string; sessionId: string }> {
  const claims = await verifyAccessToken(ctx.settings, text, ctx.now());
  if (claims === "expired") throw new Problem("credentials-expired");
  if (claims === "invalid") throw new Problem("credentials-invalid");
  return claims;
}
