/** What clients send and see of sub-users. Permissions and limits have the member names of the older system's document, or the same in camelCase. */
import * as z from "zod";
import { inEitherSpelling, legacyBody } from "#core/legacy-body";
import { pageOf, pageQuery } from "#core/page";
import { type Output, shape } from "#core/shape";
import { subUserLimitMaxima } from "#core/sub-user";

export const subUserParams = shape(() =>
  z.object({ id: z.string().max(64).meta({ example: "usr_01kahs7m3n0000000000000000" }) }),
);
export const tokenParams = shape(() => z.object({ token: z.string().max(200) }));

/** Accepts each member in both spellings; both with different values are refused. */
function eitherSpelling<Members extends z.ZodRawShape>(members: Members) {
  return z.preprocess(inEitherSpelling, z.strictObject(members));
}

const patterns = () =>
  z
    .array(
      z
        .string()
        .min(1)
        .max(200)
        .regex(/^[\w./:{}*-]+$/),
    )
    .min(1)
    .max(100);

const permissionMembers = () => ({
  api_access: z.boolean(),
  can_create_api_keys: z.boolean(),
  can_view_usage: z.boolean(),
  can_modify_settings: z.boolean(),
  allowed_endpoints: patterns().meta({
    description: "Names of operations, or their paths as published; `*` stands for anything.",
    example: ["listFiles", "/v1/conversions*"],
  }),
  allowed_models: patterns(),
  can_invite_others: z.boolean(),
});

const count = (most: number, least = 1) => z.number().int().min(least).max(most);

const limitMembers = () => ({
  monthly_tokens: count(subUserLimitMaxima.monthly_tokens, 0),
  requests_per_minute: count(subUserLimitMaxima.requests_per_minute),
  requests_per_hour: count(subUserLimitMaxima.requests_per_hour),
  max_api_keys: count(subUserLimitMaxima.max_api_keys, 0),
  max_concurrent_requests: count(subUserLimitMaxima.max_concurrent_requests),
});

/** All members of a shape, each to be left out. */
function optional<Members extends Record<string, z.ZodType>>(members: Members) {
  return Object.fromEntries(Object.entries(members).map(([name, member]) => [name, member.optional()])) as {
    [Name in keyof Members]: z.ZodOptional<Members[Name]>;
  };
}

const isChange = (body: object) => Object.values(body).some((value) => value !== undefined);

const somePermissions = () => eitherSpelling(optional(permissionMembers()));
const someLimits = () => eitherSpelling(optional(limitMembers()));

export const permissionsBody = shape(() =>
  somePermissions().refine(isChange, "at least one member").meta({ id: "SubUserPermissionsChange" }),
);
export const limitsBody = shape(() =>
  someLimits()
    .refine(isChange, "at least one member")
    .meta({ id: "SubUserLimitsChange", example: { requests_per_minute: 30 } }),
);
export type PermissionsChange = Output<typeof permissionsBody>;
export type LimitsChange = Output<typeof limitsBody>;

const email = () => z.string().trim().toLowerCase().max(254).pipe(z.email()).meta({ example: "assistant@example.com" });
const password = () =>
  z
    .string()
    .min(8)
    .refine((value) => new TextEncoder().encode(value).length <= 1_024, "at most 1,024 bytes")
    .meta({ example: "correct horse battery staple" });
const name = () => z.string().trim().min(1).max(100);

export const createSubUserBody = shape(() =>
  z
    .strictObject({
      email: email(),
      password: password(),
      name: name().optional(),
      permissions: somePermissions().optional(),
      limits: someLimits().optional(),
    })
    .meta({ id: "SubUserCreate" }),
);

export const changeSubUserBody = shape(() =>
  z
    .strictObject({ name: name().optional(), active: z.boolean().optional() })
    .refine(isChange, "at least one member")
    .meta({ id: "SubUserChange", example: { name: "Ada Lovelace" } }),
);

export const inviteSubUserBody = shape(() =>
  z
    .strictObject({
      email: email(),
      permissions: somePermissions().optional(),
      limits: someLimits().optional(),
      expiresInHours: z.number().int().min(1).max(168).default(72),
    })
    .meta({ id: "SubUserInvite" }),
);

export const acceptBody = shape(() =>
  legacyBody({ password: password(), name: name().optional() }).meta({ id: "SubUserInvitationAccept" }),
);

export const bulkActions = ["activate", "deactivate", "delete", "update_limits", "update_permissions"] as const;

export const bulkBody = shape(() =>
  z
    .strictObject({
      action: z.enum(bulkActions),
      ids: z.array(z.string().max(64)).min(1).max(50),
      permissions: somePermissions().optional(),
      limits: someLimits().optional(),
    })
    .refine((body) => body.action !== "update_limits" || (body.limits && isChange(body.limits)), {
      path: ["limits"],
      message: "update_limits needs limits",
    })
    .refine((body) => body.action !== "update_permissions" || (body.permissions && isChange(body.permissions)), {
      path: ["permissions"],
      message: "update_permissions needs permissions",
    })
    .meta({ id: "SubUserBulk" }),
);
export type Bulk = Output<typeof bulkBody>;

export const bulkShape = shape(() =>
  z
    .object({
      results: z.array(
        z.object({
          id: z.string(),
          ok: z.boolean(),
          problem: z.object({ code: z.string(), detail: z.string() }).nullable(),
        }),
      ),
      succeeded: z.number().int(),
      failed: z.number().int(),
    })
    .meta({ id: "SubUserBulkResult" }),
);

export const subUserShape = shape(() =>
  z
    .object({
      id: z.string(),
      email: z.string(),
      name: z.string(),
      status: z.enum(["active", "inactive", "suspended"]).meta({ description: "`suspended`: by staff." }),
      workspaceId: z.string(),
      permissions: z.object(permissionMembers()),
      limits: z.object(limitMembers()),
      createdBy: z.string(),
      createdAt: z.string(),
      lastActiveAt: z.string().nullable(),
    })
    .meta({ id: "SubUser" }),
);
export type SubUserShape = Output<typeof subUserShape>;
export const subUserPage = pageOf(subUserShape, "SubUserPage");

export const usageShape = shape(() =>
  z
    .object({
      id: z.string(),
      tokensUsed: z.number().int(),
      monthlyTokens: z.number().int(),
      tokensPercent: z.number(),
      apiCalls: z.number().int(),
      requestsToday: z.number().int(),
      requestsThisMonth: z.number().int(),
      apiKeys: z.number().int(),
      lastActiveAt: z.string().nullable(),
    })
    .meta({ id: "SubUserUsage" }),
);

export const overviewShape = shape(() =>
  z
    .object({
      total: z.number().int(),
      active: z.number().int(),
      inactive: z.number().int(),
      suspended: z.number().int(),
      pendingInvitations: z.number().int(),
      apiKeys: z.number().int(),
      tokensUsed: z.number().int(),
      monthlyTokens: z.number().int(),
      requestsToday: z.number().int(),
    })
    .meta({ id: "SubUserOverview" }),
);

const activityShape = shape(() =>
  z
    .object({
      id: z.string(),
      email: z.string(),
      name: z.string(),
      activity: z.enum(["active", "idle", "inactive"]).meta({
        description: "`idle`: nothing for more than 24 hours. `inactive`: never, or deactivated.",
      }),
      requestsToday: z.number().int(),
      lastActiveAt: z.string().nullable(),
    })
    .meta({ id: "SubUserActivity" }),
);
export const activityPage = pageOf(activityShape, "SubUserActivityPage");
export const activityQuery = pageQuery;

export const trendsQuery = shape(() => z.object({ days: z.coerce.number().int().min(7).max(90).default(30) }));

export const trendsShape = shape(() =>
  z
    .object({
      days: z.array(z.object({ day: z.string(), requests: z.number().int(), activeSubUsers: z.number().int() })),
      totalRequests: z.number().int(),
      averageRequests: z.number(),
    })
    .meta({ id: "SubUserTrends" }),
);

export const analysisShape = shape(() =>
  z
    .object({
      items: z.array(
        z.object({
          id: z.string(),
          email: z.string(),
          name: z.string(),
          tokensUsed: z.number().int(),
          monthlyTokens: z.number().int(),
          percent: z.number(),
          verdict: z.enum(["over", "fitting", "under"]).meta({
            description: "`over`: more than 90 % of the limit is used. `under`: less than 10 %.",
          }),
        }),
      ),
      over: z.number().int(),
      under: z.number().int(),
    })
    .meta({ id: "SubUserLimitsAnalysis" }),
);
