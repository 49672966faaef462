/** What staff do for a person: a mail to set a new password, credits, and the end of an account. None of it shows or sets a password. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { askResetCode, deleteAccount } from "#features/accounts/service";
import { grantCredits } from "#features/usage/service";
import { asStaff, staffOf } from "./acting.ts";
import { actOf, below, endSessions } from "./people.ts";
import { rolesBelow } from "./rules.ts";
import { changePerson, isOvertaken } from "./store.ts";

/** Mails a code to the person's own address and ends all sessions; staff never see the code. */
export async function sendPasswordReset(ctx: WorkspaceCtx, id: string) {
  const staff = staffOf(ctx);
  const { user } = await below(ctx, id);
  if (user.status !== "active") throw new Problem("user-suspended");
  await askResetCode(ctx, user.email);
  await ctx.db.batch([
    auditEntry(asStaff(ctx), actOf(staff, "password-reset-sent"), { target: id, severity: "warning" }),
  ]);
  await endSessions(ctx, id);
  return { message: "A code to set a new password went to the person's address, and all sessions were ended." };
}

/** The entry comes first: credits that nobody can account for must not exist. A repeated request grants once. */
export async function giveCredits(ctx: WorkspaceCtx, id: string, given: { credits: number; reason: string }) {
  const staff = staffOf(ctx);
  const { workspace } = await below(ctx, id);
  if (!workspace) throw new Problem("no-personal-workspace");
  const grantId = ctx.newId("event");
  await ctx.db.batch([
    auditEntry(asStaff(ctx), actOf(staff, "credits-changed"), {
      target: id,
      category: "billing",
      details: { ...given, grantId, workspaceId: workspace.id },
    }),
  ]);
  const grant = { workspaceId: workspace.id, credits: given.credits, grantId };
  return { workspaceId: workspace.id, granted: given.credits, left: await grantCredits(ctx, grant) };
}

/**
 * Ends the account as its owner would (`deleteAccount`): what stays is the id, the reason, who did it, dates and a keyed hash of the
 * address. The entry names no address either. Somebody of staff has to be demoted first.
 */
export async function removePerson(ctx: WorkspaceCtx, id: string, reason: string): Promise<void> {
  const staff = staffOf(ctx);
  const { user } = await below(ctx, id);
  try {
    await deleteAccount(ctx, id, {
      by: ctx.userId,
      reason,
      guards: [changePerson(ctx, id, { change: {}, roles: rolesBelow(staff) })],
      entry: () =>
        auditEntry(asStaff(ctx), "staff.user-deleted", {
          target: id,
          details: { reason },
          before: { role: user.role, status: user.status },
          severity: "warning",
        }),
    });
  } catch (error) {
    if (isOvertaken(error)) throw new Problem("staff-rank", { detail: `The role of ${id} was changed meanwhile.` });
    throw error;
  }
}
