/** Who belongs to a workspace, as what, and how that changes. Every rule is checked again by the database when the change is made. */
import type { WorkspaceRole } from "#core/access";
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { commitWithJobs, type Enqueued, type Statement } from "#core/job";
import { type PageQuery, readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import { forgetKeys } from "#features/api-keys/check";
import { webhookEvent } from "#features/webhooks/service";
import { breachOf, requireOtherOwner, requireRole } from "./guard-store.ts";
import { getRow } from "./manage.ts";
import { mayChangeRole } from "./rules.ts";
import { forgetMemberships, roleIn } from "./service.ts";
import {
  deleteMember,
  findMember,
  listMembers,
  type MemberRow,
  settleOwner,
  updateRole,
  updateWorkspace,
} from "./store.ts";

export function toMember({ userId, email, name, username, role, joinedAt }: MemberRow) {
  return { userId, email, name, username, role, joinedAt: new Date(joinedAt).toISOString() };
}

/** In the order of their ids, so in that of their registration. */
export async function listMemberPage(ctx: WorkspaceCtx, query: PageQuery) {
  const rows = await listMembers(ctx.db, ctx.workspaceId, { after: readCursor(query), limit: query.limit + 1 });
  return toPage(
    rows.map((row) => ({ ...row, id: row.userId })),
    query.limit,
    toMember,
  );
}

async function getMember(ctx: WorkspaceCtx, userId: string): Promise<MemberRow> {
  const member = await findMember(ctx.db, ctx.workspaceId, userId);
  if (!member) throw new Problem("member-not-found");
  return member;
}

/** A key makes and changes no owners, whoever made it: what is lent must not take over. */
export async function actingRole(ctx: WorkspaceCtx): Promise<WorkspaceRole | null> {
  const role = await roleIn(ctx, ctx.workspaceId, ctx.userId);
  return role === "owner" && ctx.actor.kind === "api-key" ? "admin" : role;
}

/** Refuses by the roles as they are, and returns the statements that refuse again if they are others when the change is made. */
async function requireChange(ctx: WorkspaceCtx, member: MemberRow, to: WorkspaceRole | null): Promise<Statement[]> {
  const isSelf = member.userId === ctx.userId;
  const actor = await actingRole(ctx);
  if (!mayChangeRole({ actor, isSelf, from: member.role, to })) throw new Problem("role-not-grantable");
  const endsOwner = member.role === "owner" && to !== "owner";
  const touchesOwner = member.role === "owner" || to === "owner";
  return [
    requireRole(ctx.db, ctx.workspaceId, {
      rule: "actor",
      userId: ctx.userId,
      roles: touchesOwner ? ["owner"] : ["owner", "admin"],
    }),
    requireRole(ctx.db, ctx.workspaceId, { rule: "target", userId: member.userId, roles: [member.role] }),
    ...(endsOwner ? [requireOtherOwner(ctx.db, ctx.workspaceId, member.userId)] : []),
  ];
}

function forget(ctx: WorkspaceCtx, userId: string): void {
  forgetMemberships({ workspaceId: ctx.workspaceId, userId });
  forgetKeys({ workspaceId: ctx.workspaceId, userId });
}

async function commit(ctx: WorkspaceCtx, statements: Statement[], enqueued: Enqueued[] = []): Promise<void> {
  try {
    await commitWithJobs(ctx, statements, enqueued);
  } catch (error) {
    throw refusal(error);
  }
}

const refusals = {
  "other-owner": "last-owner",
  actor: "role-not-grantable",
  target: "role-changed-meanwhile",
} as const;

function refusal(error: unknown): unknown {
  const breach = breachOf(error);
  return breach !== null && breach in refusals ? new Problem(refusals[breach as keyof typeof refusals]) : error;
}

export async function changeRole(ctx: WorkspaceCtx, userId: string, role: WorkspaceRole) {
  const member = await getMember(ctx, userId);
  const guards = await requireChange(ctx, member, role);
  if (member.role === role) return toMember(member);
  // The person of a personal workspace stays its only owner: an account without a workspace of its own could not sign in.
  if (role === "owner" && (await getRow(ctx)).kind === "personal") throw new Problem("personal-workspace");
  await commit(ctx, [
    ...guards,
    updateRole(ctx.db, ctx.workspaceId, { userId, role }),
    settleOwner(ctx.db, ctx.workspaceId),
    auditEntry(ctx, "member.role-changed", { target: userId, before: { role: member.role }, after: { role } }),
  ]);
  forget(ctx, userId);
  return toMember({ ...member, role });
}

/** The person's keys in the workspace stop with the membership: a check of a key reads its maker's role. */
export async function removeMember(ctx: WorkspaceCtx, userId: string): Promise<void> {
  const member = await getMember(ctx, userId);
  const guards = await requireChange(ctx, member, null);
  await commit(
    ctx,
    [
      ...guards,
      deleteMember(ctx.db, ctx.workspaceId, userId),
      settleOwner(ctx.db, ctx.workspaceId),
      auditEntry(ctx, "member.removed", { target: userId, before: { role: member.role } }),
    ],
    webhookEvent(ctx, "member.removed", { userId, role: member.role, by: ctx.userId }),
  );
  forget(ctx, userId);
}

export async function leave(ctx: WorkspaceCtx): Promise<void> {
  const member = await getMember(ctx, ctx.userId);
  await commit(
    ctx,
    [
      requireRole(ctx.db, ctx.workspaceId, { rule: "target", userId: ctx.userId, roles: [member.role] }),
      ...(member.role === "owner" ? [requireOtherOwner(ctx.db, ctx.workspaceId, ctx.userId)] : []),
      deleteMember(ctx.db, ctx.workspaceId, ctx.userId),
      settleOwner(ctx.db, ctx.workspaceId),
      auditEntry(ctx, "member.left", { target: ctx.userId, before: { role: member.role } }),
    ],
    webhookEvent(ctx, "member.removed", { userId: ctx.userId, role: member.role, by: ctx.userId }),
  );
  forget(ctx, ctx.userId);
}

/** The present owner becomes an admin in the same batch that makes the other one owner. */
export async function transferOwnership(ctx: WorkspaceCtx, userId: string) {
  if ((await getRow(ctx)).kind === "personal") throw new Problem("personal-workspace");
  const member = await getMember(ctx, userId);
  if ((await actingRole(ctx)) !== "owner") throw new Problem("role-not-grantable");
  if (userId === ctx.userId) throw new Problem("already-member", { detail: "You are the owner." });
  await commit(ctx, [
    requireRole(ctx.db, ctx.workspaceId, { rule: "actor", userId: ctx.userId, roles: ["owner"] }),
    requireRole(ctx.db, ctx.workspaceId, { rule: "target", userId, roles: [member.role] }),
    updateRole(ctx.db, ctx.workspaceId, { userId, role: "owner" }),
    updateRole(ctx.db, ctx.workspaceId, { userId: ctx.userId, role: "admin" }),
    updateWorkspace(ctx.db, ctx.workspaceId, { ownerUserId: userId }),
    auditEntry(ctx, "workspace.ownership-transferred", {
      target: userId,
      before: { ownerUserId: ctx.userId },
      after: { ownerUserId: userId },
    }),
  ]);
  forget(ctx, userId);
  forget(ctx, ctx.userId);
  return toMember({ ...member, role: "owner" });
}
