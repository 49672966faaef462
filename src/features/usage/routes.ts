/** /v1/usage: what is enforced, what was used, reports; and /v1/admin/limits for superadmins. Asking is free. */
import { endpoint, rawEndpoint } from "#core/endpoint";
import type { LimitOverrides } from "#core/plans";
import * as service from "./service.ts";
import {
  daysQuery,
  historyShape,
  limitsBody,
  limitsQuery,
  limitsShape,
  quotaParams,
  reportQuery,
  reportShape,
  resourceUsageShape,
  statsShape,
  usageShape,
} from "./shapes.ts";

const csvHeaders = { "content-type": "text/csv; charset=utf-8", "cache-control": "no-store" };

export const routes = [
  endpoint({
    name: "getUsage",
    method: "get",
    path: "/v1/usage",
    summary: "The enforced counters of the workspace with their limits",
    access: "usage:read",
    uncounted: true,
    returns: usageShape,
    handle: (ctx) => service.usageOf(ctx),
  }),
  endpoint({
    name: "getUsageHistory",
    method: "get",
    path: "/v1/usage/history",
    summary: "What was used each day",
    access: "usage:read",
    uncounted: true,
    query: daysQuery,
    returns: historyShape,
    handle: (ctx, { query }) => service.historyOf(ctx, query.days),
  }),
  endpoint({
    name: "getUsageStats",
    method: "get",
    path: "/v1/usage/stats",
    summary: "What was used, by user, key and model",
    access: "usage:read",
    uncounted: true,
    query: daysQuery,
    returns: statsShape,
    handle: (ctx, { query }) => service.statsOf(ctx, query.days),
  }),
  rawEndpoint({
    name: "getUsageReport",
    method: "get",
    path: "/v1/usage/report",
    summary: "The report of a day, week or month, as JSON or CSV",
    description: "A month that has ended is kept as it was; every other report is made anew.",
    access: "usage:report",
    uncounted: true,
    query: reportQuery,
    returns: reportShape,
    produces: { "application/json": "The report.", "text/csv": "One line a figure (format=csv)." },
    handle: async (ctx, { query }) => {
      if (query.format === "json")
        return Response.json(await service.reportOf(ctx, query), { headers: { "cache-control": "no-store" } });
      const fileName = `usage-${query.period}-${query.date ?? "now"}.csv`;
      const headers = { ...csvHeaders, "content-disposition": `attachment; filename="${fileName}"` };
      return new Response(await service.reportCsvOf(ctx, query), { headers });
    },
  }),
  endpoint({
    name: "getQuota",
    method: "get",
    path: "/v1/usage/quota/{resource}",
    summary: "One resource: how much is used, and what is left",
    access: "usage:read",
    uncounted: true,
    params: quotaParams,
    returns: resourceUsageShape,
    handle: (ctx, { params }) => service.quotaOf(ctx, params.resource),
  }),
  endpoint({
    name: "getWorkspaceLimits",
    method: "get",
    path: "/v1/admin/limits",
    summary: "A workspace's limits: its plan's and what overrides them",
    access: "staff:read",
    query: limitsQuery,
    returns: limitsShape,
    problems: ["workspace-not-found"],
    handle: (ctx, { query }) => service.limitsFor(ctx, query.workspace ?? ctx.workspaceId),
  }),
  endpoint({
    name: "overrideWorkspaceLimits",
    method: "put",
    path: "/v1/admin/limits",
    summary: "Override limits of a workspace",
    access: "staff:own",
    body: limitsBody,
    returns: limitsShape,
    problems: ["workspace-not-found"],
    handle: (ctx, { body }) => service.overrideLimits(ctx, body.workspaceId, definedOnly(body.overrides)),
  }),
];

/** A member that is left out is the plan's, and is not kept as `undefined`. */
function definedOnly(overrides: { [Name in keyof LimitOverrides]?: LimitOverrides[Name] | undefined }): LimitOverrides {
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined)) as LimitOverrides;
}
