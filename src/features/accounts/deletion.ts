/**
 * Ending an account: its sessions, keys, ways to sign in, its own workspaces and the sub-users in them. An archive keeps the id, the reason,
 * who did it, the dates and a keyed hash of the address, and nothing else. It refuses to leave other people in a workspace without an owner.
 */
import { createHmac } from "node:crypto";
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { commitWithJobs, type Enqueued, type Statement } from "#core/job";
import { Problem } from "#core/problem";
import { forgetKeys } from "#features/api-keys/check";
import { cancellationOf } from "#features/billing/service";
import { forgetMemberships } from "#features/workspaces/service";
import { cancelWork, revokeAllInvitations, settleOwner, updateWorkspace } from "#features/workspaces/store";
import { deriveKey } from "#lib/envelope";
import * as store from "./deletion-store.ts";
import { currentUser, requirePassword } from "./people.ts";
import { endAllSessions } from "./sessions.ts";
import { homeWorkspaceId } from "./sign-in.ts";
import { findById } from "./store.ts";
import type { UserRow } from "./tables.ts";

/** Answers "was this address here?" to whoever has the master key and the address. */
export function archivedAddress(ctx: Pick<Ctx, "settings">, email: string): string {
  const key = deriveKey(ctx.settings.masterKeys[0].raw, "overtone deleted addresses");
  return createHmac("sha256", key).update(email).digest("hex");
}

export interface AccountEnd {
  /** `self`, or the id of the person who does it. */
  by: string;
  reason: string;
  /** What the end hangs on beside what it always does: they roll the batch back when it does not hold. */
  guards?: Statement[];
  /** Takes the place of the entry that an account of one's own leaves. */
  entry?: () => Statement;
  enqueued?: () => Enqueued[];
}

/** All in one batch, or nothing. Throws `user-not-found`, `sole-owner` and `last-superadmin`. */
export async function deleteAccount(ctx: Ctx, userId: string, end: AccountEnd): Promise<void> {
  const everywhere = await store.listMemberships(ctx.db, userId);
  const user = await whileOvertaken(async () => {
    const read = await readEstate(ctx, userId);
    await commitEnd(ctx, read, end);
    return read.user;
  });
  for (const workspaceId of [homeWorkspaceId(user), ...everywhere.map(({ id }) => id)]) {
    forgetMemberships({ workspaceId });
    forgetKeys({ workspaceId });
  }
  await endAllSessions(ctx, userId, { reason: "account-closed" });
}

const maxTries = 4;

/** Does it again from what is so now when somebody changed in between what it was about. */
export async function whileOvertaken<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!store.isOvertaken(error)) throw error;
      if (tries === maxTries) throw new Problem("unavailable", { headers: { "retry-after": "1" } });
    }
  }
}

interface Read extends store.Estate {
  user: UserRow;
}

async function readEstate(ctx: Ctx, userId: string): Promise<Read> {
  const user = await findById(ctx.db, userId);
  if (!user) throw new Problem("user-not-found");
  if (user.role === "superadmin" && !(await store.hasOtherSuperadmin(ctx.db, userId)))
    throw new Problem("last-superadmin");
  const owned = await store.listMemberships(ctx.db, userId, { owned: true });
  const orphaned = owned.filter(({ kind, isOnlyOwner, members }) => kind === "team" && isOnlyOwner && members > 1);
  if (orphaned.length > 0)
    throw new Problem("sole-owner", { members: { workspaces: orphaned.map(({ id, name }) => ({ id, name })) } });
  const closes = ({ kind, isOnlyOwner }: store.Membership) => kind === "personal" || isOnlyOwner;
  return {
    user,
    closing: owned.filter(closes).map(({ id }) => id),
    kept: owned.filter((one) => !closes(one)).map(({ id }) => id),
  };
}

async function commitEnd(ctx: Ctx, { user, closing, kept }: Read, end: AccountEnd): Promise<void> {
  const { by, reason, guards = [] } = end;
  const at = ctx.now();
  const closed = await Promise.all(closing.map((id) => closeWorkspace(ctx, id, at)));
  await commitWithJobs(
    ctx,
    [
      store.requireSameEstate(ctx.db, user.id, { closing, kept }),
      ...guards,
      end.entry?.() ?? ownEntry(ctx, user, by),
      ...(await endPeopleOf(ctx, closing, { by, reason, at, also: user })),
      ...kept.map((id) => settleOwner(ctx.db, id)),
      ...closed.flatMap(({ statements }) => statements),
    ],
    [...(end.enqueued?.() ?? []), ...closed.flatMap(({ jobs }) => jobs)],
  );
}

function ownEntry(ctx: Ctx, user: UserRow, by: string): Statement {
  return auditEntry({ ...ctx, workspaceId: homeWorkspaceId(user) }, "account.deleted", {
    target: user.id,
    details: { by },
  });
}

async function closeWorkspace(ctx: Ctx, id: string, at: number) {
  return {
    statements: [
      updateWorkspace(ctx.db, id, { deletedAt: at, slug: null }),
      cancelWork(ctx.db, id, at),
      revokeAllInvitations(ctx.db, id, at),
    ],
    jobs: await cancellationOf(ctx, id),
  };
}

interface End {
  by: string;
  reason: string;
  at: number;
  /** The person whose workspaces they are, where that one ends as well. */
  also?: UserRow;
}

/**
 * The statements that end the sub-users of workspaces that are closed, archived as every other account. Commit them within `whileOvertaken`: one
 * that was made in the meantime rolls them back.
 */
export async function endPeopleOf(ctx: Ctx, closing: readonly string[], end: End): Promise<Statement[]> {
  const { also, ...how } = end;
  const people = [...(also ? [also] : []), ...(await store.listSubUsersOf(ctx.db, closing))];
  const archived = people.map(({ id, email, createdAt }) => ({
    id,
    createdAt,
    addressHash: archivedAddress(ctx, email),
  }));
  return store.endPeople(ctx.db, archived, { ...how, closing });
}

export async function deleteOwnAccount(ctx: WorkspaceCtx, given: { password: string; reason: string }) {
  const user = await currentUser(ctx);
  await requirePassword(ctx, user, given.password);
  await deleteAccount(ctx, user.id, { by: "self", reason: given.reason });
  return { success: true as const, message: "The account was deleted." };
}
