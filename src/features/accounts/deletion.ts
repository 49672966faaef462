/**
 * Ending an account: its sessions, keys, ways to sign in and its own workspaces. An archive keeps the id, the reason, who did it, the
 * dates and a keyed hash of the address, and nothing else. It refuses to leave other people in a workspace without an owner.
 */
import { createHmac } from "node:crypto";
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { personalWorkspaceId } from "#core/ids";
import type { Statement } from "#core/job";
import { Problem } from "#core/problem";
import { forgetKeys } from "#features/api-keys/check";
import { deleteKeysOfUser } from "#features/api-keys/service";
import { cancelForWorkspace } from "#features/billing/service";
import { forgetMemberships } from "#features/workspaces/service";
import {
  cancelWork,
  endSubUsers,
  revokeAllInvitations,
  settleOwner,
  updateWorkspace,
} from "#features/workspaces/store";
import { deriveKey } from "#lib/envelope";
import { archiveUser, emptyUser, forgetPerson, listMemberships, type Membership } from "./deletion-store.ts";
import { currentUser, requirePassword } from "./people.ts";
import { endAllSessions } from "./sessions.ts";
import { findById } from "./store.ts";

/** Answers "was this address here?" to whoever has the master key and the address. */
export function archivedAddress(ctx: Pick<Ctx, "settings">, email: string): string {
  const key = deriveKey(ctx.settings.masterKeys[0].raw, "overtone deleted addresses");
  return createHmac("sha256", key).update(email).digest("hex");
}

/** `by`: `self`, or the id of the person who does it. Throws `user-not-found` and `sole-owner`. */
export async function deleteAccount(ctx: Ctx, userId: string, given: { by: string; reason: string }): Promise<void> {
  const user = await findById(ctx.db, userId);
  if (!user) throw new Problem("user-not-found");
  const memberships = await listMemberships(ctx.db, userId);
  refuseOrphans(memberships);
  const closing = memberships.filter(({ kind, isOnlyOwner }) => kind === "personal" || isOnlyOwner);
  // First, so that nobody goes on paying for what is gone.
  for (const { id } of closing) await cancelForWorkspace(ctx, id);
  const at = ctx.now();
  const archived = {
    id: userId,
    reason: given.reason,
    deletedBy: given.by,
    addressHash: archivedAddress(ctx, user.email),
    createdAt: user.createdAt,
    deletedAt: at,
  };
  const home = { ...ctx, workspaceId: user.parentWorkspaceId ?? personalWorkspaceId(userId) };
  const [first, ...rest] = [
    ...forgetPerson(ctx.db, userId),
    ...memberships.filter(({ id }) => !closing.some((one) => one.id === id)).map(({ id }) => settleOwner(ctx.db, id)),
    ...closing.flatMap(({ id }) => closeWorkspace(ctx, id, at)),
    deleteKeysOfUser(ctx, userId, at),
    emptyUser(ctx.db, userId, at),
    auditEntry(home, "account.deleted", { target: userId, details: { by: given.by } }),
  ];
  const archive = archiveUser(ctx.db, archived);
  await ctx.db.batch([archive, ...(first ? [first] : []), ...rest]);
  for (const { id } of memberships) {
    forgetMemberships({ workspaceId: id });
    forgetKeys({ workspaceId: id });
  }
  await endAllSessions(ctx, userId, { reason: "account-closed" });
}

function refuseOrphans(memberships: Membership[]): void {
  const orphaned = memberships.filter(
    ({ kind, isOnlyOwner, members }) => kind === "team" && isOnlyOwner && members > 1,
  );
  if (orphaned.length > 0)
    throw new Problem("sole-owner", { members: { workspaces: orphaned.map(({ id, name }) => ({ id, name })) } });
}

function closeWorkspace(ctx: Ctx, id: string, at: number): Statement[] {
  return [
    updateWorkspace(ctx.db, id, { deletedAt: at, slug: null }),
    cancelWork(ctx.db, id, at),
    revokeAllInvitations(ctx.db, id, at),
    endSubUsers(ctx.db, id, at),
  ];
}

export async function deleteOwnAccount(ctx: WorkspaceCtx, given: { password: string; reason: string }) {
  const user = await currentUser(ctx);
  await requirePassword(ctx, user, given.password);
  await deleteAccount(ctx, user.id, { by: "self", reason: given.reason });
  return { success: true as const, message: "The account was deleted." };
}
