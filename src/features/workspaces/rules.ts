/** Decisions about roles, slugs and invitations, from values only. */
import type { WorkspaceRole } from "#core/access";
import type { InvitationRow } from "./tables.ts";

const rank: Record<WorkspaceRole, number> = { owner: 3, admin: 2, member: 1, viewer: 0 };

export const invitableRoles = ["admin", "member", "viewer"] as const;

export interface RoleChange {
  /** Who asks; null: nobody with a role. */
  actor: WorkspaceRole | null;
  isSelf: boolean;
  from: WorkspaceRole;
  /** Null: out of the workspace. */
  to: WorkspaceRole | null;
}

/** Owners change everybody, admins everybody but owners, and nobody raises the own role. */
export function mayChangeRole({ actor, isSelf, from, to }: RoleChange): boolean {
  if (actor !== "owner" && actor !== "admin") return false;
  if (isSelf && to !== null && rank[to] > rank[from]) return false;
  return actor === "owner" || (from !== "owner" && to !== "owner");
}

/** 2 to 50 of `a-z0-9-` made from a name; null: the name has too few of them. */
export function slugOf(name: string): string | null {
  const slug = name
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/\p{Mark}/gu, "")
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 40);
  return slug.length >= 2 ? slug : null;
}

export type InvitationState = "pending" | "accepted" | "expired" | "revoked";

export function stateOf(row: InvitationRow, nowMs: number): InvitationState {
  if (row.revokedAt !== null) return "revoked";
  if (row.acceptedAt !== null) return "accepted";
  return row.expiresAt <= nowMs ? "expired" : "pending";
}

/** Of an accepted or withdrawn one nothing is left to do; an expired one can be asked again. */
export const invitationMs = 7 * 24 * 3_600_000;
export const maxPendingInvitations = 100;
export const maxOwnWorkspaces = 20;
