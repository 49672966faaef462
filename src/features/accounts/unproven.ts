/**
 * What happens when an address is proven for the first time by somebody who came without the password. Whoever registered with it before need
 * not have been its owner, and must keep no way in.
 */
import type { Ctx } from "#core/context";
import type { Statement } from "#core/job";
import { deleteKeysOfUser } from "#features/api-keys/service";
import { noPasswordPhc } from "#features/sign-in-methods/check";
import { dropUnprovenWays } from "#features/sign-in-methods/store";
import type { UserRow } from "./tables.ts";

type Unproven = Pick<UserRow, "id" | "emailVerifiedAt">;

/** Passkeys, accounts elsewhere and, where addresses have to be verified, API keys. Nothing of a person whose address was proven before. */
export function dropUnproven(ctx: Ctx, user: Unproven): Statement[] {
  if (user.emailVerifiedAt !== null) return [];
  const keys = ctx.settings.emailVerification.enabled ? [deleteKeysOfUser(ctx, user.id, ctx.now())] : [];
  return [...dropUnprovenWays(ctx.db, user.id), ...keys];
}

/** In the place of a password that somebody else may have set. */
export function noPassword(ctx: Ctx): string {
  return noPasswordPhc(ctx.random(32));
}
