/** A person whom somebody else makes: staff, by those above them. Refuses what registering refuses, but for a closed sign-up. */
import type { Ctx } from "#core/context";
import type { Statement } from "#core/job";
import { personalWorkspaceId } from "#core/ids";
import { Problem } from "#core/problem";
import { hashPassword } from "#durable/hasher/client";
import { insertPersonalWorkspace } from "#features/workspaces/service";
import { busy, hasherChoice } from "./hashing.ts";
import { displayName, isCommonPassword, newUserRow } from "./rules.ts";
import { insertUser } from "./store.ts";
import type { UserRow } from "./tables.ts";
import { messagesOf } from "#lib/error-messages";

export interface NewPerson {
  email: string;
  password: string;
  name?: string | undefined;
  username?: string | undefined;
}

/** The statements that make the person with a personal workspace. `also`: columns that the maker may set. */
export async function newPerson(
  ctx: Ctx,
  given: NewPerson,
  also: Partial<Pick<UserRow, "role" | "supportLevel" | "emailVerifiedAt">>,
): Promise<{ id: string; statements: [Statement, ...Statement[]] }> {
  if (isCommonPassword(given.password)) throw new Problem("password-too-common");
  const outcome = await hashPassword(ctx.objects.HASHER, given.password, hasherChoice(ctx));
  if (!outcome.ok)
    throw outcome.reason === "busy"
      ? busy()
      : new Problem("validation-failed", { detail: "The password is too long." });
  const id = ctx.newId("user");
  const at = ctx.now();
  const { email, username = null } = given;
  const row = {
    ...newUserRow({ id, email, username, name: displayName(given), passwordPhc: outcome.phc, at }),
    ...also,
  };
  const workspace = { id: personalWorkspaceId(id), name: `${row.name}'s workspace`, userId: id, createdAt: at };
  return { id, statements: [insertUser(ctx.db, row), ...insertPersonalWorkspace(ctx.db, workspace)] };
}

/** A unique index decides between two at once; null: it was something else. */
export function takenProblem(error: unknown): Problem | null {
  for (const message of messagesOf(error)) {
    if (message.includes("users.email")) return new Problem("email-taken");
    if (message.includes("users.username_key")) return new Problem("username-taken");
  }
  return null;
}

export function takenOr(error: unknown): unknown {
  return takenProblem(error) ?? error;
}
