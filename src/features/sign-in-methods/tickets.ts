/**
 * Tickets carry a half-finished sign-in through the client: who has proven what, signed, for five minutes. A ticket is no session and
 * opens nothing by itself.
 */
import { timingSafeEqual } from "node:crypto";
import type { Ctx } from "#core/context";
import { keyedHash } from "./keys.ts";

export type TicketPurpose = "second-factor" | "link";

export interface Ticket {
  purpose: TicketPurpose;
  userId: string;
  /** What else was proven; strings only. */
  data: Record<string, string>;
  expiresAt: number;
}

const pattern = /^ovk_(\d{1,3})\.([A-Za-z0-9_-]{1,2000})\.([A-Za-z0-9_-]{43})$/;

export function issueTicket(ctx: Ctx, ticket: Ticket): string {
  const [master] = ctx.settings.masterKeys;
  const payload = Buffer.from(JSON.stringify(ticket)).toString("base64url");
  return `ovk_${master.version}.${payload}.${keyedHash(master, "ticket", payload)}`;
}

/** Null for anything that was not issued here for this purpose, or has ended. */
export function readTicket(ctx: Ctx, text: string, purpose: TicketPurpose): Ticket | null {
  const [, version, payload = "", mac = ""] = pattern.exec(text) ?? [];
  const master = ctx.settings.masterKeys.find((candidate) => String(candidate.version) === version);
  if (!master) return null;
  const expected = Buffer.from(keyedHash(master, "ticket", payload));
  if (!timingSafeEqual(expected, Buffer.from(mac))) return null;
  const ticket = JSON.parse(Buffer.from(payload, "base64url").toString()) as Ticket;
  return ticket.purpose === purpose && ticket.expiresAt > ctx.now() ? ticket : null;
}
