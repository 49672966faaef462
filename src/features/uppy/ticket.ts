/**
 * Upload tickets: signed permissions (compact JWS, HS256, RFC 7515) to upload a few files into one workspace, short enough for a URL.
 * A ticket opens uploads of its own and nothing else, and only while the person who asked for it may upload there.
 */
import { jwtVerify, SignJWT } from "jose";
import * as z from "zod";
import { mayDo } from "#core/access";
import type { Ctx, WorkspaceCtx } from "#core/context";
import type { Settings } from "#core/env";
import { uploadTicketLimit } from "#core/limits";
import { Problem } from "#core/problem";
import { type Output, shape } from "#core/shape";
import { permissionsOf } from "#core/sub-user";
import { readMembership, rememberedMembership } from "#features/workspaces/service";
import { deriveKey } from "#lib/envelope";

const audience = "upload";
const rememberMs = 10_000;

const claims = shape(() =>
  z.object({
    sub: z.string(),
    ws: z.string(),
    jti: z.string(),
    /** Bytes of one file, at most. */
    max: z.number().int(),
    /** Files, at most. */
    n: z.number().int(),
    /** Media types and groups such as `audio/*`; empty: all that the product takes. */
    acc: z.array(z.string()),
    /** Seconds since 1970. */
    exp: z.number().int(),
  }),
);

export type TicketClaims = Output<typeof claims>;

/** What a request with a ticket acts with. */
export interface TicketCtx extends WorkspaceCtx {
  ticket: TicketClaims;
}

const keyOf = (raw: Uint8Array) => deriveKey(raw, "overtone upload tickets");

export async function signTicket(settings: Settings, ticket: TicketClaims, nowMs: number): Promise<string> {
  const [master] = settings.masterKeys;
  return new SignJWT({ ...ticket })
    .setProtectedHeader({ alg: "HS256", kid: String(master.version) })
    .setAudience(audience)
    .setIssuedAt(Math.floor(nowMs / 1_000))
    .sign(keyOf(master.raw));
}

async function readTicket({ settings, now }: Pick<Ctx, "settings" | "now">, text: string): Promise<TicketClaims> {
  try {
    const { payload } = await jwtVerify(
      text,
      ({ kid }) => {
        const master = settings.masterKeys.find(({ version }) => String(version) === kid);
        if (!master) throw new Problem("upload-ticket-invalid");
        return keyOf(master.raw);
      },
      { algorithms: ["HS256"], audience, requiredClaims: ["exp"], currentDate: new Date(now()) },
    );
    return claims().parse(payload);
  } catch (error) {
    const hasExpired = (error as { code?: unknown }).code === "ERR_JWT_EXPIRED";
    throw new Problem(hasExpired ? "upload-ticket-expired" : "upload-ticket-invalid");
  }
}

/**
 * Turns the context of an open request into one that acts for the ticket's person. Who may not upload there any more has a ticket that is
 * not valid; a role is remembered for ten seconds, as for sessions.
 */
export async function enterByTicket(ctx: Ctx, text: string): Promise<TicketCtx> {
  const ticket = await readTicket(ctx, text);
  const nowMs = ctx.now();
  const remembered = rememberedMembership(ticket.sub, ticket.ws, nowMs, rememberMs);
  const membership = remembered === undefined ? await readMembership(ctx.db, ticket.sub, ticket.ws, nowMs) : remembered;
  const { role = null, subUser = null } = membership ?? {};
  const person = { role, ...(subUser ? { granted: permissionsOf(subUser) } : {}) };
  if (!membership || membership.workspaceId !== ticket.ws || !mayDo(person, "files:write"))
    throw new Problem("upload-ticket-invalid", { detail: "Its person may not upload into this workspace any more." });
  const { plan, overrides } = membership;
  const actor = { kind: "user", userId: ticket.sub, sessionId: ticket.jti, ...person } as const;
  const entered = { userId: ticket.sub, workspaceId: ticket.ws, actor, plan, overrides, ticket };
  await ctx.takeLimit(uploadTicketLimit, ticket.jti);
  return Object.assign(ctx, entered);
}
