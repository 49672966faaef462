/** Asking somebody to become a sub-user: the mailed token makes the account, so it needs none before. */
import type { Ctx, WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { subUserDefaults } from "#core/sub-user";
import { findByEmail } from "#features/accounts/store";
import { breachOf, takeInvitation } from "#features/workspaces/guard-store";
import { findByToken } from "#features/workspaces/invitation-store";
import { hashOf, invite, requireUsable } from "#features/workspaces/invitations";
import { findWorkspace } from "#features/workspaces/store";
import { beyond, usualWithin, withChanges } from "./rules.ts";
import { makeSubUser } from "./service.ts";
import type { LimitsChange, PermissionsChange } from "./shapes.ts";
import { findSubUser } from "./store.ts";

interface Asked {
  email: string;
  permissions?: PermissionsChange | undefined;
  limits?: LimitsChange | undefined;
  expiresInHours: number;
}

const hourMs = 3_600_000;

/** A sub-user who may invite others hands on no more than it has. */
export async function inviteSubUser(ctx: WorkspaceCtx, asked: Asked) {
  const own = ctx.subUser;
  const grant = withChanges(own ? usualWithin(subUserDefaults, own) : subUserDefaults, asked);
  const tooWide = own ? beyond(own, grant) : [];
  if (tooWide.length > 0)
    throw new Problem("grant-too-wide", { detail: `More than you have: ${tooWide.join(", ")}.`, members: { tooWide } });
  if (await findByEmail(ctx.db, asked.email)) throw new Problem("email-taken");
  const expiresInMs = asked.expiresInHours * hourMs;
  return invite(ctx, { kind: "sub-user", email: asked.email, role: null, grant, expiresInMs });
}

/** Whoever holds the token proves the address by it. */
export async function acceptInvitation(
  ctx: Ctx,
  token: string,
  given: { password: string; name?: string | undefined },
): Promise<{ message: string; user: { id: string; email: string; name: string }; workspaceId: string }> {
  const row = await findByToken(ctx.db, hashOf(token));
  if (!row || row.kind !== "sub-user" || row.grant === null) throw new Problem("invitation-not-found");
  requireUsable(ctx, row);
  const { workspaceId, email, grant, invitedBy: createdBy } = row;
  if (!(await findWorkspace(ctx.db, workspaceId))) throw new Problem("invitation-not-found");
  const id = ctx.newId("user");
  const there = { ...ctx, workspaceId };
  const taking = takeInvitation(ctx.db, { id: row.id, tokenHash: row.tokenHash, at: ctx.now() });
  try {
    await makeSubUser(there, { ...given, id, email, grant, createdBy, verified: true }, [taking]);
  } catch (error) {
    throw breachOf(error) === "invitation" ? new Problem("invitation-used") : error;
  }
  const name = (await findSubUser(ctx.db, workspaceId, id))?.name ?? "";
  return { message: "Account created; sign in with your address.", user: { id, email, name }, workspaceId };
}
