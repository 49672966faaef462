/**
 * What happens when an address is proven for the first time by somebody who came without the password. Whoever registered with it before need
 * not have been its owner, and must keep no way in.
 */
import type { Ctx } from "#core/context";
import type { Statement } from "#core/job";
import { deleteKeysOfUser } from "#features/api-keys/service";
import { noPasswordPhc, removeTotp } from "#features/sign-in-methods/check";
import { dropUnprovenWays } from "#features/sign-in-methods/store";
import type { UserRow } from "./tables.ts";

type Unproven = Pick<UserRow, "id" | "emailVerifiedAt">;

/**
 * Passkeys and accounts elsewhere; where addresses have to be verified, also API keys, and the authenticator app, which would keep the owner out.
 * (Elsewhere it stays: most people there never prove an address, and it is what stands between them and a thief of their mails.) Nothing of a
 * person whose address was proven before.
 */
export function dropUnproven(ctx: Ctx, user: Unproven): Statement[] {
  if (user.emailVerifiedAt !== null) return [];
  const rest = [deleteKeysOfUser(ctx, user.id, ctx.now()), ...removeTotp(ctx.db, user.id)];
  return [...dropUnprovenWays(ctx.db, user.id), ...(ctx.settings.emailVerification.enabled ? rest : [])];
}

/** In the place of a password that somebody else may have set. */
export function noPassword(ctx: Ctx): string {
  return noPasswordPhc(ctx.random(32));
}
