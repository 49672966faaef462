/** Every permission and who has it, on one screen. API keys hold a subset of these words as scopes. */

export const workspaceRoles = ["owner", "admin", "member", "viewer"] as const;
export type WorkspaceRole = (typeof workspaceRoles)[number];

const everyone = ["owner", "admin", "member", "viewer"] as const;
const writers = ["owner", "admin", "member"] as const;
const admins = ["owner", "admin"] as const;

/** `fresh`: the session and the role are read anew (0 s), because a stale answer would move keys or money. */
interface PermissionRule {
  roles: readonly WorkspaceRole[];
  fresh?: true;
}

export const permissions = {
  "files:read": { roles: everyone },
  "files:write": { roles: writers },
  "conversions:read": { roles: everyone },
  "conversions:write": { roles: writers },
  "jobs:read": { roles: everyone },
  "jobs:write": { roles: writers },
  "encryption-keys:read": { roles: writers, fresh: true },
  "encryption-keys:write": { roles: writers, fresh: true },
  "api-keys:read": { roles: admins, fresh: true },
  "api-keys:write": { roles: admins, fresh: true },
} as const satisfies Record<string, PermissionRule>;

export type Permission = keyof typeof permissions;
export const permissionNames = Object.keys(permissions) as [Permission, ...Permission[]];

/**
 * Who may call an operation. `public`: anybody. `signed-in`: any person or key. `session`: a signed-in person, never a key.
 * A permission: a person whose role in the workspace has it, or a key with that scope.
 */
export type Access = "public" | "signed-in" | "session" | Permission;

export function isPermission(access: Access): access is Permission {
  return access in permissions;
}

export function roleHas(role: WorkspaceRole, permission: Permission): boolean {
  return (permissions[permission].roles as readonly WorkspaceRole[]).includes(role);
}

export function needsFreshCheck(access: Access): boolean {
  return isPermission(access) && "fresh" in permissions[access];
}
