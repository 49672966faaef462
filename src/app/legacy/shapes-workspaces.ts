/** How systems C and D name workspaces, members and sub-users: pure renamings. */

type Json = Record<string, unknown>;

const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.map(object) : []);
const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Every member's name, at every depth. */
function snaked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snaked);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [snake(name), snaked(member)]));
}

function given(body: Json, names: readonly string[]): Json {
  return Object.fromEntries(names.filter((name) => name in body).map((name) => [name, body[name]]));
}

/** Members that only the server sets go on, so that the operation refuses them. */
const serverOwned = ["role", "plan", "owner"];

function nameOf(body: Json): Json {
  if (typeof body["name"] === "string") return { name: body["name"] };
  const parts = [body["first_name"], body["last_name"]].filter((part) => typeof part === "string" && part !== "");
  const full = body["full_name"] ?? (parts.length > 0 ? parts.join(" ") : undefined);
  return full === undefined ? {} : { name: full };
}

export const workspaceBodies = {
  subUser: (body: Json): Json => ({
    ...given(body, ["email", "password", "permissions", "limits", ...serverOwned]),
    ...nameOf(body),
  }),
  subUserChange: (body: Json): Json => ({
    ...nameOf(body),
    ...given(body, ["active", ...serverOwned]),
    ...(typeof body["is_active"] === "boolean" ? { active: body["is_active"] } : {}),
  }),
  subUserPermissions: (body: Json): Json => ("permissions" in body ? object(body["permissions"]) : body),
  subUserLimits: (body: Json): Json => ("limits" in body ? object(body["limits"]) : body),
  subUserBulk: (body: Json): Json => ({
    ...given(body, ["action", "permissions", "limits"]),
    ids: body["ids"] ?? body["sub_user_ids"] ?? body["user_ids"],
  }),
} as const;

function organization(value: Json): Json {
  return {
    id: value["id"],
    name: value["name"],
    slug: value["slug"],
    description: value["description"],
    owner_id: value["ownerUserId"],
    subscription_plan: value["plan"],
    subscription_tier: value["plan"],
    role: value["role"],
    settings: value["settings"],
    is_active: true,
    created_at: value["createdAt"],
  };
}

const organizationMember = (value: Json): Json => ({
  user_id: value["userId"],
  email: value["email"],
  name: value["name"],
  role: value["role"],
  joined_at: value["joinedAt"],
});

/** `id` is the person's, as everywhere in system D. */
const workspaceUser = (value: Json): Json => ({ ...value, id: value["userId"] });

function subUser(value: Json): Json {
  return {
    ...object(snaked(value)),
    permissions: value["permissions"],
    limits: value["limits"],
    is_sub_user: true,
    is_active: value["status"] === "active",
  };
}

export const workspaceAnswers = {
  organization,
  organizations: (value: Json) => list(value["items"]).map(organization),
  organizationMember,
  organizationMembers: (value: Json) => list(value["items"]).map(organizationMember),
  sentInvitation: (value: Json) => ({ success: true, invitation: snaked(value), ...object(snaked(value)) }),
  acceptedInvitation: (value: Json) => ({
    success: true,
    organization: organization(object(value["workspace"])),
    role: value["role"],
  }),
  subUser,
  subUsers: (value: Json) => ({ sub_users: list(value["items"]).map(subUser), total: list(value["items"]).length }),
  snake: (value: Json) => snaked(value),
  workspaces: (value: Json) => ({ ...value, workspaces: value["items"] }),
  workspaceUser,
  workspaceUsers: (value: Json) => ({
    users: list(value["items"]).map(workspaceUser),
    nextCursor: value["nextCursor"],
  }),
} as const;
