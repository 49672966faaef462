/** Decisions about sub-users, from values only. */
import type { SubUserGrant, SubUserLimits, SubUserPermissions } from "#core/sub-user";
import type { LimitsChange, PermissionsChange, SubUserShape } from "./shapes.ts";
import type { SubUser } from "./store.ts";

export const maxSubUsers = 200;
const dayMs = 24 * 3_600_000;

export function statusOf({ userStatus, active }: Pick<SubUser, "userStatus" | "active">): SubUserShape["status"] {
  if (!active) return "inactive";
  return userStatus === "active" ? "active" : "suspended";
}

export function activityOf(row: SubUser, nowMs: number): "active" | "idle" | "inactive" {
  if (statusOf(row) !== "active" || row.lastActiveAt === null) return "inactive";
  return nowMs - row.lastActiveAt > dayMs ? "idle" : "active";
}

/** What is left out stays as it is. */
export function merged<Whole extends object>(
  whole: Whole,
  change: { [Name in keyof Whole]?: Whole[Name] | undefined },
): Whole {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  return { ...whole, ...given };
}

export function withChanges(
  grant: SubUserGrant,
  change: { permissions?: PermissionsChange | undefined; limits?: LimitsChange | undefined },
): SubUserGrant {
  return {
    permissions: merged<SubUserPermissions>(grant.permissions, change.permissions ?? {}),
    limits: merged<SubUserLimits>(grant.limits, change.limits ?? {}),
  };
}

/** The members in which `wanted` goes beyond `own`: a sub-user invites others to no more than it has itself. */
export function beyond(own: SubUserGrant, wanted: SubUserGrant): string[] {
  const flags = (
    ["api_access", "can_create_api_keys", "can_view_usage", "can_modify_settings", "can_invite_others"] as const
  ).filter((name) => wanted.permissions[name] && !own.permissions[name]);
  const lists = (["allowed_endpoints", "allowed_models"] as const).filter((name) => {
    const mine = own.permissions[name];
    return !mine.includes("*") && wanted.permissions[name].some((pattern) => !mine.includes(pattern));
  });
  const limits = (Object.keys(wanted.limits) as (keyof SubUserLimits)[]).filter(
    (name) => wanted.limits[name] > own.limits[name],
  );
  return [...flags, ...lists, ...limits];
}

/** The lesser of what is usual and what the inviting sub-user has. */
export function usualWithin(usual: SubUserGrant, own: SubUserGrant): SubUserGrant {
  const { permissions, limits } = usual;
  const least = (name: keyof SubUserLimits) => Math.min(limits[name], own.limits[name]);
  return {
    permissions: {
      api_access: permissions.api_access && own.permissions.api_access,
      can_create_api_keys: permissions.can_create_api_keys && own.permissions.can_create_api_keys,
      can_view_usage: permissions.can_view_usage && own.permissions.can_view_usage,
      can_modify_settings: permissions.can_modify_settings && own.permissions.can_modify_settings,
      can_invite_others: permissions.can_invite_others && own.permissions.can_invite_others,
      allowed_endpoints: own.permissions.allowed_endpoints,
      allowed_models: own.permissions.allowed_models,
    },
    limits: {
      monthly_tokens: least("monthly_tokens"),
      requests_per_minute: least("requests_per_minute"),
      requests_per_hour: least("requests_per_hour"),
      max_api_keys: least("max_api_keys"),
      max_concurrent_requests: least("max_concurrent_requests"),
    },
  };
}

export function percentOf(used: number, limit: number): number {
  if (limit === 0) return used > 0 ? 100 : 0;
  return Math.round((used / limit) * 10_000) / 100;
}

export function verdictOf(percent: number): "over" | "fitting" | "under" {
  if (percent > 90) return "over";
  return percent < 10 ? "under" : "fitting";
}
