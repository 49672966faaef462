/** What a person sees and changes of the own account, in the words of each older client. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { readAllowance } from "./allowance.ts";
import { takenOr } from "./new-person.ts";
import { currentUser, iso, toUser } from "./people.ts";
import { updateUser } from "./store.ts";
import type { UserRow } from "./tables.ts";

/** The signed-in person. */
export async function me(ctx: WorkspaceCtx) {
  const row = await currentUser(ctx);
  const { tokensLimit, tokensUsed } = await readAllowance(ctx);
  const user = {
    ...toUser(row, ctx.plan),
    tokens_remaining: tokensLimit === null ? null : Math.max(0, tokensLimit - tokensUsed),
    tokens_used: tokensUsed,
    monthly_limit: tokensLimit,
  };
  const role = ctx.actor.kind === "user" ? ctx.actor.role : null;
  return { ...user, user, workspace: { id: ctx.workspaceId, role, plan: ctx.plan } };
}

export async function changeProfile(
  ctx: WorkspaceCtx,
  given: { name?: string | undefined; displayName?: string | undefined; username?: string | null | undefined },
) {
  const change = {
    ...(given.name || given.displayName ? { name: given.name ?? given.displayName ?? "" } : {}),
    ...(given.username === undefined
      ? {}
      : { username: given.username, usernameKey: given.username?.toLowerCase() ?? null }),
    updatedAt: ctx.now(),
  };
  try {
    await ctx.db.batch([
      updateUser(ctx.db, ctx.userId, change),
      auditEntry(ctx, "account.profile-changed", { target: ctx.userId, details: { members: Object.keys(change) } }),
    ]);
  } catch (error) {
    throw takenOr(error);
  }
  return me(ctx);
}

/** The whole profile, with what the plan allows. */
export async function fullProfile(ctx: WorkspaceCtx) {
  const row = await currentUser(ctx);
  const { creditsLimit, creditsLeft } = await readAllowance(ctx);
  const credits = { remaining: creditsLeft, reset: creditsLimit };
  return { success: true as const, ...profileOf(row), ...allowed(row, credits, ctx.plan) };
}

function profileOf(row: UserRow) {
  return {
    id: row.id,
    username: row.username,
    name: row.name,
    email: row.email,
    about_me: row.aboutMe,
    hobbies: row.hobbies,
    user_type: row.userType,
    is_verified: row.emailVerifiedAt !== null,
    is_active: row.status === "active",
    time_created: iso(row.createdAt),
    last_login: row.lastLoginAt === null ? null : iso(row.lastLoginAt),
  };
}

function allowed(row: UserRow, credits: { remaining: number | null; reset: number | null }, plan: string) {
  return {
    subscription_plan: plan,
    credits: { main: credits.remaining, reset: credits.reset },
    limits: { conversation_limit: credits.remaining, reset: credits.reset },
    access_rtype: row.promptStyles,
    level: row.promptLevel,
  };
}

export async function changeFullProfile(
  ctx: WorkspaceCtx,
  given: { name?: string | undefined; about_me?: string | undefined; hobbies?: string | undefined },
) {
  const change = {
    ...(given.name === undefined ? {} : { name: given.name }),
    ...(given.about_me === undefined ? {} : { aboutMe: given.about_me }),
    ...(given.hobbies === undefined ? {} : { hobbies: given.hobbies }),
    updatedAt: ctx.now(),
  };
  await ctx.db.batch([
    updateUser(ctx.db, ctx.userId, change),
    auditEntry(ctx, "account.profile-changed", { target: ctx.userId, details: { members: Object.keys(change) } }),
  ]);
  return { ...(await fullProfile(ctx)), message: "Profile changed." };
}
