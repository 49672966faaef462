/**
 * Asking people into a workspace. Nobody is added without consent: the mailed token, used by the person whose address it was sent to,
 * is the only way in. The token itself is in that mail and nowhere else.
 */
import { createHash } from "node:crypto";
import type { WorkspaceRole } from "#core/access";
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { commitWithJobs } from "#core/job";
import type { Limit } from "#core/limits";
import { type PageQuery, readCursor, toPage } from "#core/page";
import { limitsOf } from "#core/plans";
import { Problem } from "#core/problem";
import type { SubUserGrant } from "#core/sub-user";
import { findById } from "#features/accounts/store";
import { mailJob } from "#features/notifications/service";
import { webhookEvent } from "#features/webhooks/service";
import { breachOf, isTaken, requirePlace, takeInvitation } from "./guard-store.ts";
import {
  countWaiting,
  findByToken,
  findInvitation,
  findWaiting,
  insertInvitation,
  listInvitations,
  revokeInvitation,
} from "./invitation-store.ts";
import { getRow, toWorkspace } from "./manage.ts";
import { invitationMs, maxPendingInvitations, stateOf } from "./rules.ts";
import { forgetMemberships } from "./service.ts";
import { belongs, countMembers, findWorkspace, insertMember } from "./store.ts";
import type { InvitationRow, WorkspaceRow } from "./tables.ts";

/** Mails to strangers in our name: a stolen session must not become a mail cannon. */
const workspaceSends: Limit = { name: "invitations", quota: 60, windowSeconds: 3_600 };
const addressSends: Limit = { name: "invitations-to-address", quota: 5, windowSeconds: 86_400 };

export function toInvitation(ctx: { now(): number }, row: InvitationRow) {
  const { id, kind, email, role, invitedBy } = row;
  const iso = (at: number) => new Date(at).toISOString();
  return {
    id,
    kind,
    email,
    role,
    state: stateOf(row, ctx.now()),
    invitedBy,
    createdAt: iso(row.createdAt),
    expiresAt: iso(row.expiresAt),
  };
}

export async function listInvitationPage(ctx: WorkspaceCtx, query: PageQuery) {
  const rows = await listInvitations(ctx.db, ctx.workspaceId, { before: readCursor(query), limit: query.limit + 1 });
  return toPage(rows, query.limit, (row) => toInvitation(ctx, row));
}

export type Asked = { email: string; expiresInMs: number } & (
  | { kind: "member"; role: WorkspaceRole; grant: null }
  | { kind: "sub-user"; role: null; grant: SubUserGrant }
);

export async function inviteMember(ctx: WorkspaceCtx, given: { email: string; role: "admin" | "member" | "viewer" }) {
  const { members } = limitsOf(ctx.plan, ctx.overrides);
  if (members !== null && (await countMembers(ctx.db, ctx.workspaceId)) >= members)
    throw new Problem("member-limit-reached", { detail: `The plan has ${members} members.` });
  return invite(ctx, { ...given, kind: "member", grant: null, expiresInMs: invitationMs });
}

/** Asks, or asks again: then the token mailed before is void. */
export async function invite(ctx: WorkspaceCtx, asked: Asked) {
  const workspace = await getRow(ctx);
  const [known, waits] = await Promise.all([
    belongs(ctx.db, ctx.workspaceId, asked.email),
    findWaiting(ctx.db, ctx.workspaceId, asked),
  ]);
  if (known) throw new Problem("already-member");
  if (!waits && (await countWaiting(ctx.db, ctx.workspaceId)) >= maxPendingInvitations)
    throw new Problem("invitation-limit-reached", { detail: `At most ${maxPendingInvitations} wait at a time.` });
  await ctx.takeLimit(workspaceSends, `workspace:${ctx.workspaceId}`);
  await ctx.takeLimit(addressSends, `address:${hashOf(asked.email)}`);
  const token = Buffer.from(ctx.random(32)).toString("base64url");
  const { kind, email, role, grant, expiresInMs } = asked;
  const row: InvitationRow = {
    id: ctx.newId("invitation"),
    workspaceId: ctx.workspaceId,
    kind,
    email,
    role,
    grant,
    tokenHash: hashOf(token),
    invitedBy: ctx.userId,
    createdAt: ctx.now(),
    expiresAt: ctx.now() + expiresInMs,
    acceptedAt: null,
    revokedAt: null,
  };
  await commitWithJobs(
    ctx,
    [
      insertInvitation(ctx.db, row),
      auditEntry(ctx, "invitation.sent", { target: waits?.id ?? row.id, details: { kind, email, role } }),
    ],
    [
      await mailOf(ctx, { row, token, workspace }),
      ...webhookEvent(ctx, "member.invited", { invitationId: waits?.id ?? row.id, kind, email, role }),
    ],
  );
  return toInvitation(ctx, waits ? { ...row, id: waits.id } : row);
}

async function mailOf(ctx: WorkspaceCtx, about: { row: InvitationRow; token: string; workspace: WorkspaceRow }) {
  const { row, token, workspace } = about;
  const inviter = await findById(ctx.db, ctx.userId);
  return mailJob(ctx, {
    template: row.kind === "member" ? "invitation" : "sub-user-invitation",
    to: row.email,
    workspaceId: ctx.workspaceId,
    data: {
      workspaceName: workspace.name,
      inviterName: inviter?.name ?? "",
      link: `${ctx.settings.publicUrl}/console/invitations/${token}`,
      expiresAt: row.expiresAt,
    },
  });
}

export function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export async function withdraw(ctx: WorkspaceCtx, id: string): Promise<void> {
  const row = await findInvitation(ctx.db, ctx.workspaceId, id);
  if (!row) throw new Problem("invitation-not-found");
  if (row.acceptedAt !== null) throw new Problem("invitation-used");
  if (row.revokedAt !== null) return;
  await ctx.db.batch([
    revokeInvitation(ctx.db, ctx.workspaceId, { id, at: ctx.now() }),
    auditEntry(ctx, "invitation.withdrawn", { target: id, details: { email: row.email } }),
  ]);
}

/** The invitation that a token names, if it can still be used. Throws what is the matter with it otherwise. */
export function requireUsable(ctx: { now(): number }, row: InvitationRow): void {
  const state = stateOf(row, ctx.now());
  if (state === "revoked") throw new Problem("invitation-revoked");
  if (state === "accepted") throw new Problem("invitation-used");
  if (state === "expired") throw new Problem("invitation-expired");
}

/** Whose the invitation is comes first: to everybody else it tells nothing of itself. */
export async function accept(ctx: WorkspaceCtx, token: string) {
  const row = await findByToken(ctx.db, hashOf(token));
  if (!row || row.kind !== "member" || row.role === null) throw new Problem("invitation-not-found");
  const person = await findById(ctx.db, ctx.userId);
  if (!person || person.email !== row.email) throw new Problem("invitation-foreign");
  if (ctx.settings.emailVerification.enabled && person.emailVerifiedAt === null)
    throw new Problem("invitation-address-unverified");
  requireUsable(ctx, row);
  const workspace = await findWorkspace(ctx.db, row.workspaceId);
  if (!workspace) throw new Problem("invitation-not-found");
  await join(ctx, { row, role: row.role, workspace });
  return { workspace: toWorkspace({ workspace, role: row.role }), role: row.role };
}

async function join(
  ctx: WorkspaceCtx,
  joining: { row: InvitationRow; role: WorkspaceRole; workspace: WorkspaceRow },
): Promise<void> {
  const { row, role, workspace } = joining;
  const there = { ...ctx, workspaceId: workspace.id };
  const { members } = limitsOf(workspace.plan, workspace.limitOverrides);
  try {
    await commitWithJobs(
      there,
      [
        takeInvitation(ctx.db, { id: row.id, tokenHash: row.tokenHash, at: ctx.now() }),
        ...(members === null ? [] : [requirePlace(ctx.db, workspace.id, members)]),
        insertMember(ctx.db, { workspaceId: workspace.id, userId: ctx.userId, role, createdAt: ctx.now() }),
        auditEntry(there, "member.joined", { target: ctx.userId, details: { role, invitedBy: row.invitedBy } }),
      ],
      webhookEvent(there, "member.joined", { userId: ctx.userId, role }),
    );
  } catch (error) {
    throw await whyNot(ctx, error, row);
  }
  forgetMemberships({ workspaceId: workspace.id, userId: ctx.userId });
}

async function whyNot(ctx: WorkspaceCtx, error: unknown, { workspaceId, id }: InvitationRow): Promise<unknown> {
  if (isTaken(error, "workspace_members")) return new Problem("already-member");
  const breach = breachOf(error);
  if (breach === "place") return new Problem("member-limit-reached");
  if (breach !== "invitation") return error;
  const now = await findInvitation(ctx.db, workspaceId, id);
  if (now) requireUsable(ctx, now);
  return new Problem("invitation-not-found");
}
