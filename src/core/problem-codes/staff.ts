/** Codes of administration and support. */
import type { ProblemKind } from "../problem-kind.ts";

export const staffProblems = {
  "staff-only": {
    status: 403,
    title: "Only for staff",
    suggestion: "Ask a superadmin for the permission named in requiredPermission.",
  },
  "staff-rank": {
    status: 403,
    title: "This person's role is not below yours",
    suggestion: "Ask somebody with a higher role; your own profile is changed at /v1/users/me.",
  },
  "staff-field-not-editable": {
    status: 403,
    title: "Your level does not change this member",
    suggestion: "See GET /v1/support/permissions for what you may change.",
  },
  "staff-email-unverified": {
    status: 409,
    title: "The account has not proven its e-mail address",
    suggestion:
      "Let the person verify it or sign in by a mailed code, or mark it as verified: PATCH /v1/admin/users/{id} with isVerified true.",
  },
  "staff-member-not-found": { status: 404, title: "No such member of staff", suggestion: "See the list of staff." },
  "last-superadmin": {
    status: 409,
    title: "The last superadmin stays",
    suggestion: "Make another person a superadmin first.",
  },
  "prompt-style-not-found": {
    status: 404,
    title: "No such prompt style",
    suggestion: "Use one of bpe, bcot, hcot, react, tot.",
  },
  "user-suspended": {
    status: 409,
    title: "The person is suspended",
    suggestion: "Lift the suspension first: PATCH with isActive true.",
  },
  "no-personal-workspace": {
    status: 409,
    title: "The person has no workspace of their own",
    suggestion: "Change the workspace that the sub-user belongs to.",
  },
} as const satisfies Record<string, ProblemKind>;
