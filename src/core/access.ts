/** Every permission and who has it, on one screen. API keys hold a subset of these words as scopes. */

export const workspaceRoles = ["owner", "admin", "member", "viewer"] as const;
export type WorkspaceRole = (typeof workspaceRoles)[number];

const everyone = ["owner", "admin", "member", "viewer"] as const;
const writers = ["owner", "admin", "member"] as const;
const admins = ["owner", "admin"] as const;
const owners = ["owner"] as const;

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
  "workspaces:read": { roles: everyone },
  "workspaces:write": { roles: admins, fresh: true },
  "workspaces:own": { roles: owners, fresh: true },
  "members:read": { roles: everyone },
  "members:write": { roles: admins, fresh: true },
  "sub-users:read": { roles: admins, fresh: true },
  "sub-users:write": { roles: admins, fresh: true },
  "sub-users:invite": { roles: admins, fresh: true },
  "audit-log:read": { roles: admins, fresh: true },
  "usage:read": { roles: everyone },
  "usage:report": { roles: admins },
  "billing:read": { roles: admins, fresh: true },
  "billing:write": { roles: owners, fresh: true },
  "webhooks:read": { roles: admins, fresh: true },
  "webhooks:write": { roles: admins, fresh: true },
  "models:use": { roles: writers },
  "message-logs:read": { roles: everyone, fresh: true },
  "message-logs:write": { roles: everyone, fresh: true },
  "provider-keys:read": { roles: admins, fresh: true },
  "provider-keys:write": { roles: admins, fresh: true },
  "guardrails:read": { roles: everyone },
  "guardrails:write": { roles: admins, fresh: true },
} as const satisfies Record<string, PermissionRule>;

export type Permission = keyof typeof permissions;
export const permissionNames = Object.keys(permissions) as [Permission, ...Permission[]];

/** A person's role in the whole product. Admins and superadmins have every staff permission below the line that names them. */
export const globalRoles = ["user", "developer", "support", "admin", "superadmin"] as const;
export type GlobalRole = (typeof globalRoles)[number];

export const supportLevels = ["new", "support", "advanced"] as const;
export type SupportLevel = (typeof supportLevels)[number];

/** What staff may do, and from which level on; the empty ones are for admins alone, `staff:own` for superadmins alone. */
export const staffPermissions = {
  "staff:profile": { levels: supportLevels },
  "staff:users:read": { levels: supportLevels },
  "staff:users:write": { levels: ["support", "advanced"] },
  "staff:users:plan": { levels: ["support", "advanced"] },
  "staff:users:credits": { levels: ["support", "advanced"] },
  "staff:users:password": { levels: ["support", "advanced"] },
  "staff:messages:read": { levels: ["advanced"] },
  "staff:api-keys:write": { levels: ["advanced"] },
  "staff:security-logs:read": { levels: ["advanced"] },
  "staff:read": { levels: [] },
  "staff:write": { levels: [] },
  "staff:own": { levels: [] },
} as const satisfies Record<string, { levels: readonly SupportLevel[] }>;

/** The roles that a sign-in page may ask for; those above have what those below have. */
export const requiredRoles = ["support", "admin"] as const;
export type RequiredRole = (typeof requiredRoles)[number];

export function hasRole(role: GlobalRole, required: RequiredRole): boolean {
  if (role === "superadmin" || role === "admin") return true;
  return role === "support" && required === "support";
}

const hourSeconds = 3_600;

/**
 * How long staff stay signed in; null: as long as everybody else. `seconds`: a session ends then, however it is used. Only the session
 * tokens of the older panels are renewed, until `renewableSeconds` after the sign-in.
 */
export function staffSession(role: GlobalRole): { seconds: number; renewableSeconds: number } | null {
  if (hasRole(role, "admin")) return { seconds: 24 * hourSeconds, renewableSeconds: 7 * 24 * hourSeconds };
  return hasRole(role, "support") ? { seconds: 12 * hourSeconds, renewableSeconds: 3 * 24 * hourSeconds } : null;
}

export type StaffPermission = keyof typeof staffPermissions;
export const staffPermissionNames = Object.keys(staffPermissions) as [StaffPermission, ...StaffPermission[]];

/** A person as staff; `supportLevel` is null for everybody whose role is not `support`. */
export interface Staff {
  role: GlobalRole;
  supportLevel: SupportLevel | null;
}

/**
 * Who may call an operation. `public`: anybody. `signed-in`: any person or key. `session`: a signed-in person, never a key.
 * A permission: a person whose role in the workspace has it, or a key with that scope. A staff permission: a signed-in person whose role in
 * the product has it, never a key.
 */
export type Access = "public" | "signed-in" | "session" | Permission | StaffPermission;

export function isPermission(access: Access): access is Permission {
  return access in permissions;
}

export function isStaffPermission(access: Access): access is StaffPermission {
  return access in staffPermissions;
}

export function staffHas(staff: Staff, permission: StaffPermission): boolean {
  if (staff.role === "superadmin") return true;
  if (staff.role === "admin") return permission !== "staff:own";
  if (staff.role !== "support" || staff.supportLevel === null) return false;
  return (staffPermissions[permission].levels as readonly SupportLevel[]).includes(staff.supportLevel);
}

export function roleHas(role: WorkspaceRole, permission: Permission): boolean {
  return (permissions[permission].roles as readonly WorkspaceRole[]).includes(role);
}

/** What a person has by the role in the workspace or, as a sub-user who has none, by what was granted. */
export function mayDo(
  person: { role: WorkspaceRole | null; granted?: readonly Permission[] },
  permission: Permission,
): boolean {
  return person.role === null ? (person.granted ?? []).includes(permission) : roleHas(person.role, permission);
}

export function needsFreshCheck(access: Access): boolean {
  return isStaffPermission(access) || (isPermission(access) && "fresh" in permissions[access]);
}
