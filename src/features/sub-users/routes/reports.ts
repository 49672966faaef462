/** What sub-users use, in numbers. */
import { endpoint } from "#core/endpoint";
import * as reports from "../reports.ts";
import {
  activityPage,
  activityQuery,
  analysisShape,
  overviewShape,
  subUserParams,
  trendsQuery,
  trendsShape,
  usageShape,
} from "../shapes.ts";

export const reportRoutes = [
  endpoint({
    name: "subUserOverview",
    method: "get",
    path: "/v1/sub-users/overview",
    summary: "All sub-users in numbers",
    access: "sub-users:read",
    returns: overviewShape,
    handle: (ctx) => reports.overview(ctx),
  }),
  endpoint({
    name: "subUserActivity",
    method: "get",
    path: "/v1/sub-users/activity",
    summary: "Who is active, idle (nothing for 24 hours) or inactive",
    access: "sub-users:read",
    query: activityQuery,
    returns: activityPage,
    problems: ["invalid-cursor"],
    handle: (ctx, { query }) => reports.activityPage(ctx, query),
  }),
  endpoint({
    name: "subUserTrends",
    method: "get",
    path: "/v1/sub-users/usage-trends",
    summary: "Requests of sub-users by day, for the last 7 to 90 days",
    access: "sub-users:read",
    query: trendsQuery,
    returns: trendsShape,
    handle: (ctx, { query }) => reports.trends(ctx, query),
  }),
  endpoint({
    name: "subUserLimitsAnalysis",
    method: "get",
    path: "/v1/sub-users/limits-analysis",
    summary: "Whose monthly tokens are nearly used up, and whose hardly at all",
    access: "sub-users:read",
    returns: analysisShape,
    handle: (ctx) => reports.limitsAnalysis(ctx),
  }),
  endpoint({
    name: "subUserUsage",
    method: "get",
    path: "/v1/sub-users/{id}/usage",
    summary: "What a sub-user used in this month",
    access: "sub-users:read",
    params: subUserParams,
    returns: usageShape,
    problems: ["sub-user-not-found"],
    handle: (ctx, { params }) => reports.usageOf(ctx, params.id),
  }),
];
