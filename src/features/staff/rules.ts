/** Who of staff may see and change what of whom: decisions from values only. */
import {
  type GlobalRole,
  type Staff,
  staffHas,
  type StaffPermission,
  staffPermissionNames,
  type SupportLevel,
} from "#core/access";

const ranks: Readonly<Record<GlobalRole, number>> = { user: 0, developer: 0, support: 1, admin: 2, superadmin: 3 };

/** Nobody changes people of an equal or a higher role, so nobody changes himself either. */
export function outranks(staff: Staff, role: GlobalRole): boolean {
  return ranks[staff.role] > ranks[role];
}

/** The roles below one's own, for the guard of a statement. */
export function rolesBelow(staff: Staff): GlobalRole[] {
  return (Object.keys(ranks) as GlobalRole[]).filter((role) => outranks(staff, role));
}

/** What all support levels see of a person. */
const basicFields = [
  "id",
  "email",
  "username",
  "name",
  "role",
  "userType",
  "plan",
  "isActive",
  "isVerified",
  "workspaceId",
  "createdAt",
  "lastLoginAt",
] as const;
const accountFields = ["limits", "creditsPerDay", "creditsLeft", "promptLevel"] as const;
const privateFields = ["aboutMe", "hobbies", "promptStyles", "notes", "supportLevel", "parentWorkspaceId"] as const;

export type PersonField =
  | (typeof basicFields)[number]
  | (typeof accountFields)[number]
  | (typeof privateFields)[number];

/** Everything that staff may ever change of a person. Id, user name, keys, role and password are not among it. */
export const editableFields = [
  "email",
  "name",
  "userType",
  "plan",
  "limits",
  "creditsLeft",
  "promptStyles",
  "promptLevel",
  "aboutMe",
  "hobbies",
  "notes",
  "isActive",
  "isVerified",
] as const;
export type EditableField = (typeof editableFields)[number];

/** Admins see and change as much as the highest support level. */
export function levelOf(staff: Staff): SupportLevel {
  return staff.role === "support" ? (staff.supportLevel ?? "new") : "advanced";
}

export function visibleFields(staff: Staff): PersonField[] {
  const level = levelOf(staff);
  return [...basicFields, ...(level === "new" ? [] : accountFields), ...(level === "advanced" ? privateFields : [])];
}

export function fieldsToEdit(staff: Staff): EditableField[] {
  const level = levelOf(staff);
  if (level === "new") return [];
  return level === "support" ? ["email", "limits", "plan", "creditsLeft"] : [...editableFields];
}

export function permissionsOf(staff: Staff): StaffPermission[] {
  return staffPermissionNames.filter((name) => staffHas(staff, name));
}
