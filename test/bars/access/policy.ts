/**
 * What the published document declares: who may call an operation. The tables of roles and levels are those of `core/access`; whether the
 * server keeps to them is what the bar asks.
 */
import {
  isPermission,
  isStaffPermission,
  type Permission,
  permissionNames,
  permissions,
  type Staff,
  staffHas,
  staffPermissionNames,
  type WorkspaceRole,
} from "../../../src/core/access.ts";
import { permissionsOf, subUserDefaults } from "../../../src/core/sub-user.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- a document is looked into freely
export type Json = any;

export interface Operation {
  id: string;
  method: string;
  path: string;
  access: string;
  exceptSubUsers: boolean;
  /** About the person alone, in the workspace where they are at home. */
  homeOnly: boolean;
  /** The parameter that names the workspace. */
  workspaceParam: string | null;
  body: Json;
  query: Json[];
}

/** Who asks, as the policy sees them. */
export type Actor =
  | { kind: "nobody" }
  | { kind: "stranger" }
  | { kind: "member"; role: WorkspaceRole }
  | { kind: "sub-user" }
  | { kind: "staff"; staff: Staff }
  | { kind: "key"; scopes: readonly Permission[] };

export type Tenant = "own" | "foreign" | "deleted";

export function readOperations(document: Json): Operation[] {
  return Object.entries<Json>(document.paths).flatMap(([path, item]) =>
    Object.entries<Json>(item).map(([method, operation]) => ({
      id: String(operation.operationId),
      method: method.toUpperCase(),
      path,
      access: operation["x-public"] === true ? "public" : String(operation["x-access"] ?? ""),
      exceptSubUsers: (operation["x-access-except"] ?? []).includes("sub-user"),
      homeOnly: operation["x-access-home"] === true,
      workspaceParam: operation["x-workspace-param"] ?? null,
      body: operation.requestBody?.content?.["application/json"]?.schema ?? null,
      query: (operation.parameters ?? []).filter((parameter: Json) => parameter.in === "query"),
    })),
  );
}

const words: readonly string[] = ["public", "signed-in", "session", ...permissionNames, ...staffPermissionNames];

/** Operations without a policy, or with a word that nobody knows. */
export function undeclared(operations: readonly Operation[]): Operation[] {
  return operations.filter(({ access }) => !words.includes(access));
}

/** In a foreign or a deleted workspace nobody has anything; strangers and staff have nothing in the team either. */
export function isDeclared(operation: Operation, actor: Actor, tenant: Tenant): boolean {
  const access = operation.access as Parameters<typeof isPermission>[0];
  if (access === "public") return true;
  if (actor.kind === "nobody" || tenant !== "own") return false;
  // Everybody who signs in has a home.
  if (operation.homeOnly) return actor.kind !== "key";
  if (actor.kind === "stranger") return false;
  if (isStaffPermission(access)) return actor.kind === "staff" && staffHas(actor.staff, access);
  // For all but what staff do, they are asked about the team, where they are strangers.
  if (actor.kind === "staff") return false;
  if (actor.kind === "sub-user" && operation.exceptSubUsers) return false;
  if (access === "session") return actor.kind !== "key";
  if (!isPermission(access)) return true;
  return hasPermission(actor, access);
}

function hasPermission(actor: Exclude<Actor, { kind: "nobody" | "stranger" | "staff" }>, permission: Permission) {
  if (actor.kind === "key") return actor.scopes.includes(permission);
  if (actor.kind === "sub-user") return permissionsOf(subUserDefaults).includes(permission);
  return (permissions[permission].roles as readonly WorkspaceRole[]).includes(actor.role);
}
