/** Codes of workspaces, members, invitations and sub-users. */
import type { ProblemKind } from "../problem-kind.ts";

export const workspaceProblems = {
  "last-owner": {
    status: 409,
    title: "A workspace needs an owner",
    suggestion: "Transfer the ownership first.",
  },
} as const satisfies Record<string, ProblemKind>;
