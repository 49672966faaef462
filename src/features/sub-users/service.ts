/** Making, reading, changing and ending sub-users. What is taken from one stops at once for fresh operations, within ten seconds for others. */
import { auditEntry } from "#core/audit";
import { type Permission, mayDo } from "#core/access";
import type { WorkspaceCtx } from "#core/context";
import { commitWithJobs, type Statement } from "#core/job";
import { type PageQuery, readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import { permissionsOf, subUserDefaults, type SubUserGrant } from "#core/sub-user";
import { hashPassword } from "#durable/hasher/client";
import { deleteAccount, displayName, endAllSessions, isCommonPassword, newUserRow } from "#features/accounts/service";
import { findByEmail, insertUser } from "#features/accounts/store";
import { forgetKeys } from "#features/api-keys/check";
import * as apiKeys from "#features/api-keys/service";
import { webhookEvent } from "#features/webhooks/service";
import { forgetMemberships } from "#features/workspaces/service";
import { maxSubUsers, statusOf, withChanges } from "./rules.ts";
import type { LimitsChange, PermissionsChange, SubUserShape } from "./shapes.ts";
import {
  findSubUser,
  insertSubUser,
  countSubUsers,
  isEmailTaken,
  isFull,
  isSuspended,
  listSubUsers,
  patchGrant,
  renameUser,
  setAccountOpen,
  type SubUser,
  updateSubUser,
} from "./store.ts";

export function toSubUser(row: SubUser): SubUserShape {
  const { id, email, name, workspaceId, permissions, limits, createdBy } = row;
  return {
    id,
    email,
    name,
    status: statusOf(row),
    workspaceId,
    permissions,
    limits,
    createdBy,
    createdAt: new Date(row.createdAt).toISOString(),
    lastActiveAt: row.lastActiveAt === null ? null : new Date(row.lastActiveAt).toISOString(),
  };
}

export async function listSubUserPage(ctx: WorkspaceCtx, query: PageQuery) {
  const rows = await listSubUsers(ctx.db, ctx.workspaceId, { before: readCursor(query), limit: query.limit + 1 });
  return toPage(rows, query.limit, toSubUser);
}

export async function getRow(ctx: WorkspaceCtx, id: string): Promise<SubUser> {
  const row = await findSubUser(ctx.db, ctx.workspaceId, id);
  if (!row) throw new Problem("sub-user-not-found");
  return row;
}

interface NewSubUser {
  email: string;
  password: string;
  name?: string | undefined;
  permissions?: PermissionsChange | undefined;
  limits?: LimitsChange | undefined;
}

export async function createSubUser(ctx: WorkspaceCtx, given: NewSubUser): Promise<SubUserShape> {
  const id = ctx.newId("user");
  const made = ctx.isReplay ? await findSubUser(ctx.db, ctx.workspaceId, id) : null;
  if (made) return toSubUser(made);
  await makeSubUser(ctx, { ...given, id, grant: withChanges(subUserDefaults, given), createdBy: ctx.userId });
  return toSubUser(await getRow(ctx, id));
}

export interface Making {
  id: string;
  email: string;
  password: string;
  name?: string | undefined;
  grant: SubUserGrant;
  createdBy: string;
  /** The address is proven: by the mailed token. */
  verified?: boolean;
}

/** `beside` goes into the same batch; the caller explains its failures. */
export async function makeSubUser(
  ctx: Omit<WorkspaceCtx, "userId" | "plan" | "overrides">,
  making: Making,
  beside: Statement[] = [],
): Promise<void> {
  if (isCommonPassword(making.password)) throw new Problem("password-too-common");
  if (await findByEmail(ctx.db, making.email)) throw new Problem("email-taken");
  // The write decides; this spares those who come too late the hash that others wait for.
  if ((await countSubUsers(ctx.db, ctx.workspaceId)) >= maxSubUsers) throw tooMany();
  const passwordPhc = await hashed(ctx, making.password);
  const at = ctx.now();
  const { id, email, grant, createdBy } = making;
  const user = newUserRow({ id, email, username: null, name: displayName(making), passwordPhc, at });
  const row = { userId: id, workspaceId: ctx.workspaceId, ...grant, createdBy, createdAt: at, updatedAt: at };
  try {
    await commitWithJobs(
      ctx,
      [
        ...beside,
        insertUser(ctx.db, {
          ...user,
          parentWorkspaceId: ctx.workspaceId,
          emailVerifiedAt: making.verified === true ? at : null,
        }),
        insertSubUser(ctx.db, row, maxSubUsers),
        auditEntry(ctx, "sub-user.created", { target: id, after: { email, ...grant } }),
      ],
      webhookEvent(ctx, "sub-user.created", { subUserId: id, email, name: user.name }),
    );
  } catch (error) {
    if (isFull(error)) throw tooMany();
    throw isEmailTaken(error) ? new Problem("email-taken") : error;
  }
}

const tooMany = () => new Problem("sub-user-limit-reached", { detail: `At most ${maxSubUsers} a workspace.` });

async function hashed(ctx: Pick<WorkspaceCtx, "objects" | "settings" | "random">, password: string): Promise<string> {
  const choice = { hashers: ctx.settings.hashers, random: (ctx.random(1)[0] ?? 0) / 256 };
  const outcome = await hashPassword(ctx.objects.HASHER, password, choice);
  if (outcome.ok) return outcome.phc;
  if (outcome.reason === "busy") throw new Problem("hashing-busy", { headers: { "retry-after": "2" } });
  throw new Problem("validation-failed", { detail: "The password is too long." });
}

/** This isolate forgets at once what it remembered of the person. */
function forget(ctx: WorkspaceCtx, userId: string): void {
  forgetMemberships({ workspaceId: ctx.workspaceId, userId });
  forgetKeys({ workspaceId: ctx.workspaceId, userId });
}

export async function changeSubUser(
  ctx: WorkspaceCtx,
  id: string,
  change: { name?: string | undefined; active?: boolean | undefined },
): Promise<SubUserShape> {
  const before = await getRow(ctx, id);
  const at = ctx.now();
  const statements: Statement[] = [];
  if (change.name !== undefined) statements.push(renameUser(ctx.db, id, { name: change.name, at }));
  const turns = change.active !== undefined && change.active !== before.active;
  if (turns && change.active !== undefined) {
    if (statusOf(before) === "suspended") throw new Problem("sub-user-suspended");
    statements.push(
      setAccountOpen(ctx.db, id, { open: change.active, at }),
      updateSubUser(ctx.db, id, { active: change.active, updatedAt: at }),
    );
  }
  await commit(ctx, [
    ...statements,
    auditEntry(ctx, "sub-user.changed", {
      target: id,
      before: { name: before.name, active: before.active },
      after: { name: change.name ?? before.name, active: change.active ?? before.active },
    }),
  ]);
  if (turns && change.active === false) await endAllSessions(ctx, id, { reason: "account-closed" });
  forget(ctx, id);
  return toSubUser(await getRow(ctx, id));
}

async function commit(ctx: WorkspaceCtx, statements: Statement[]): Promise<void> {
  try {
    await commitWithJobs(ctx, statements, []);
  } catch (error) {
    throw isSuspended(error) ? new Problem("sub-user-suspended") : error;
  }
}

export async function changeGrant(
  ctx: WorkspaceCtx,
  id: string,
  change: { permissions?: PermissionsChange | undefined; limits?: LimitsChange | undefined },
): Promise<SubUserShape> {
  const before = await getRow(ctx, id);
  const { permissions, limits } = withChanges(before, change);
  await commit(ctx, [
    patchGrant(ctx.db, id, { ...change, at: ctx.now() }),
    auditEntry(ctx, change.permissions ? "sub-user.permissions-changed" : "sub-user.limits-changed", {
      target: id,
      before: { ...before.permissions, ...before.limits },
      after: { ...permissions, ...limits },
    }),
  ]);
  forget(ctx, id);
  return toSubUser(await getRow(ctx, id));
}

/** The account ends as every other one does, archived, its keys and ways to sign in with it; the address is free. */
export async function deleteSubUser(ctx: WorkspaceCtx, id: string): Promise<void> {
  const before = await getRow(ctx, id);
  try {
    await deleteAccount(ctx, id, {
      by: ctx.userId,
      reason: "ended by its workspace",
      entry: () =>
        auditEntry(ctx, "sub-user.deleted", { target: id, before: { email: before.email, name: before.name } }),
      enqueued: () => webhookEvent(ctx, "sub-user.deleted", { subUserId: id, email: before.email }),
    });
  } catch (error) {
    // Somebody else ended it in between.
    throw error instanceof Problem && error.code === "user-not-found" ? new Problem("sub-user-not-found") : error;
  }
  forget(ctx, id);
}

/** A key that is the sub-user's own: never more than the sub-user may do, nor than whoever makes it. */
export async function createKeyFor(ctx: WorkspaceCtx, id: string, given: Parameters<typeof apiKeys.createKey>[1]) {
  const row = await getRow(ctx, id);
  const { actor } = ctx;
  const may = (permission: Permission): boolean => {
    if (actor.kind === "user") return mayDo(actor, permission);
    return actor.kind === "api-key" && actor.scopes.includes(permission);
  };
  const granted = permissionsOf(row).filter(may);
  if (actor.kind === "api-key" && (await apiKeys.getKey(ctx, actor.keyId)).expiresAt !== null)
    throw new Problem("scope-not-grantable", { detail: "A key that ends makes no keys for others." });
  const mode = actor.kind === "api-key" && actor.mode === "test" ? "test" : given.mode;
  const sessionId = actor.kind === "user" ? actor.sessionId : "";
  const acting: WorkspaceCtx = {
    ...ctx,
    userId: id,
    subUser: { permissions: row.permissions, limits: row.limits },
    actor: { kind: "user", userId: ctx.userId, sessionId, role: null, granted },
  };
  return apiKeys.createKey(acting, { ...given, mode });
}
