/**
 * What a sub-user may do: a person without a role, who belongs to one workspace and works there within what its admins allow.
 * Names and bounds are those of the older system's document.
 */
import type { Permission } from "./access.ts";

export interface SubUserPermissions {
  api_access: boolean;
  can_create_api_keys: boolean;
  can_view_usage: boolean;
  can_modify_settings: boolean;
  /** Names of operations, or paths in which `*` stands for anything. */
  allowed_endpoints: string[];
  allowed_models: string[];
  can_invite_others: boolean;
}

export interface SubUserLimits {
  monthly_tokens: number;
  requests_per_minute: number;
  requests_per_hour: number;
  max_api_keys: number;
  max_concurrent_requests: number;
}

export interface SubUserGrant {
  permissions: SubUserPermissions;
  limits: SubUserLimits;
}

export const subUserLimitMaxima: SubUserLimits = {
  monthly_tokens: 1_000_000,
  requests_per_minute: 1_000,
  requests_per_hour: 10_000,
  max_api_keys: 10,
  max_concurrent_requests: 50,
};

export const subUserDefaults: SubUserGrant = {
  permissions: {
    api_access: true,
    can_create_api_keys: true,
    can_view_usage: true,
    can_modify_settings: false,
    allowed_endpoints: ["*"],
    allowed_models: ["*"],
    can_invite_others: false,
  },
  limits: {
    monthly_tokens: 10_000,
    requests_per_minute: 60,
    requests_per_hour: 1_000,
    max_api_keys: 3,
    max_concurrent_requests: 5,
  },
};

/** Without `api_access` only the person's own account is left. */
const everyday: readonly Permission[] = [
  "files:read",
  "files:write",
  "conversions:read",
  "conversions:write",
  "jobs:read",
  "jobs:write",
  "workspaces:read",
  "models:use",
  "message-logs:read",
  "message-logs:write",
];

/** The words of the permission matrix that a grant comes to. */
export function permissionsOf({ permissions }: SubUserGrant): Permission[] {
  if (!permissions.api_access) return [];
  return [
    ...everyday,
    ...(permissions.can_create_api_keys ? (["api-keys:read", "api-keys:write"] as const) : []),
    ...(permissions.can_view_usage ? (["usage:read"] as const) : []),
    ...(permissions.can_modify_settings ? (["workspaces:write"] as const) : []),
    ...(permissions.can_invite_others ? (["sub-users:invite"] as const) : []),
  ];
}

/** Is the operation among those that the grant names, by its name or by its path? */
export function isEndpointAllowed(grant: SubUserGrant, operation: { name: string; path: string }): boolean {
  return grant.permissions.allowed_endpoints.some(
    (pattern) => pattern === operation.name || matches(pattern, operation.path),
  );
}

/** Is the text one of the patterns, in which `*` stands for any run of characters? */
export function matchesAny(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => matches(pattern, text));
}

/** `*` stands for any run of characters. Walks both texts once and back to the last star only, so no pattern is costly. */
function matches(pattern: string, text: string): boolean {
  let at = 0;
  let rest = 0;
  let star = -1;
  let marked = 0;
  while (rest < text.length) {
    if (pattern[at] === "*") {
      star = at;
      marked = rest;
      at += 1;
    } else if (at < pattern.length && pattern[at] === text[rest]) {
      at += 1;
      rest += 1;
    } else if (star !== -1) {
      at = star + 1;
      marked += 1;
      rest = marked;
    } else return false;
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
}
