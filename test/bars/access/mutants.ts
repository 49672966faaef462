/** Damages to who may do what, each with the word that its violations begin with. */
import type { MutantRun } from "../options.ts";
import type { Patch } from "../stage.ts";

interface AccessMutant extends MutantRun {
  patches: Patch[];
}

const credentials = "src/app/credentials.ts";
const memberships = "src/features/workspaces/store.ts";

export const mutants: AccessMutant[] = [
  {
    name: "viewers-write",
    provenBy: "role",
    patches: [
      {
        file: "src/core/access.ts",
        find: 'const writers = ["owner", "admin", "member"] as const;',
        replace: 'const writers = ["owner", "admin", "member", "viewer"] as const;',
      },
    ],
  },
  {
    name: "scopes-ignored",
    provenBy: "scope",
    patches: [{ file: credentials, find: "actor.scopes.includes(access)", replace: "true" }],
  },
  {
    name: "anybody-enters",
    provenBy: "foreign",
    patches: [
      {
        file: memberships,
        find: "\n      and (m.role is not null or s.workspace_id = w.id)`",
        replace: "`",
      },
    ],
  },
  {
    name: "deleted-lives",
    provenBy: "deleted",
    patches: [
      {
        file: memberships,
        find: "u.status = 'active' and w.deleted_at is null",
        replace: "u.status = 'active'",
      },
    ],
  },
  {
    name: "sub-users-are-members",
    provenBy: "sub-user",
    patches: [
      {
        file: "src/core/access.ts",
        find: "person.role === null ? (person.granted ?? []).includes(permission)",
        replace: "person.role === null ? person.granted !== undefined",
      },
    ],
  },
  {
    name: "support-is-admin",
    provenBy: "staff",
    patches: [
      {
        file: "src/core/access.ts",
        find: 'if (staff.role === "admin") return permission !== "staff:own";',
        replace: 'if (staff.role === "admin" || staff.role === "support") return permission !== "staff:own";',
      },
    ],
  },
  {
    name: "ids-of-others",
    provenBy: "resource",
    patches: [
      {
        file: "src/features/api-keys/store.ts",
        find: "eq(apiKeys.workspaceId, ctx.workspaceId),\n",
        replace: "",
      },
    ],
  },
  {
    name: "policy-left-out",
    provenBy: "undeclared",
    patches: [{ file: "docs/openapi.json", find: '"x-access": "jobs:read",', replace: "", times: 3 }],
  },
];
