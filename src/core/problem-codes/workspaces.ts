/** Codes of workspaces, members, invitations and sub-users. */
import type { ProblemKind } from "../problem-kind.ts";

export const workspaceProblems = {
  "last-owner": {
    status: 409,
    title: "A workspace needs an owner",
    suggestion: "Transfer the ownership first.",
  },
  "endpoint-not-allowed": {
    status: 403,
    title: "Operation not among those allowed to you",
    suggestion: "Ask an admin of the workspace to add it to your allowed endpoints.",
  },
  "personal-workspace": {
    status: 409,
    title: "Not possible with a personal workspace",
    suggestion: "Use a workspace of its own for a team; a personal one ends with its person's account.",
  },
  "slug-taken": { status: 409, title: "Slug is taken", suggestion: "Choose another slug." },
  "workspace-limit-reached": {
    status: 409,
    title: "Too many workspaces",
    suggestion: "Delete one that is not needed, or transfer it.",
  },
  "member-not-found": { status: 404, title: "No such member", suggestion: "See the members of the workspace." },
  "member-limit-reached": {
    status: 409,
    title: "The plan has no place for another member",
    suggestion: "Remove a member or choose a larger plan.",
  },
  "already-member": { status: 409, title: "Belongs to the workspace already", suggestion: "Change the role instead." },
  "role-not-grantable": {
    status: 403,
    title: "That role is not yours to give or take",
    suggestion: "Owners make and change owners; nobody raises the own role.",
  },
  "role-changed-meanwhile": {
    status: 409,
    title: "Roles changed meanwhile",
    suggestion: "Read the members again and repeat the request if it still applies.",
  },
  "invitation-not-found": {
    status: 404,
    title: "No such invitation",
    suggestion: "Check the link; ask for a new invitation.",
  },
  "invitation-expired": { status: 410, title: "The invitation has expired", suggestion: "Ask for a new invitation." },
  "invitation-used": {
    status: 410,
    title: "The invitation was used",
    suggestion: "Sign in; if that was not you, ask an admin of the workspace.",
  },
  "invitation-revoked": { status: 410, title: "The invitation was withdrawn", suggestion: "Ask for a new invitation." },
  "invitation-foreign": {
    status: 403,
    title: "The invitation is for another address",
    suggestion: "Sign in with the account whose address was invited.",
  },
  "invitation-address-unverified": {
    status: 403,
    title: "Your address is not verified yet",
    suggestion: "Verify your address, then accept the invitation.",
  },
  "invitation-limit-reached": {
    status: 409,
    title: "Too many waiting invitations",
    suggestion: "Withdraw invitations that are not needed.",
  },
  "use-invitations": {
    status: 410,
    title: "Gone: it listed all people",
    suggestion: "Invite by address: POST /v1/workspaces/{id}/invitations.",
  },
  "sub-user-not-found": { status: 404, title: "No such sub-user", suggestion: "See GET /v1/sub-users." },
  "sub-user-limit-reached": {
    status: 409,
    title: "Too many sub-users",
    suggestion: "Delete sub-users that are not needed.",
  },
  "too-many-at-once": {
    status: 429,
    title: "Too many requests at once",
    suggestion: "Wait until one of your requests has ended, or ask an admin of the workspace for more at once.",
  },
  "grant-too-wide": {
    status: 403,
    title: "More than is yours to hand on",
    suggestion: "Ask for no more than your own permissions and limits.",
  },
  "sub-user-suspended": {
    status: 409,
    title: "The sub-user was suspended by staff",
    suggestion: "Ask support; only staff lift what staff imposed.",
  },
} as const satisfies Record<string, ProblemKind>;
