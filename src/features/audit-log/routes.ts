/** Logs for staff. */
import { endpoint } from "#core/endpoint";
import * as service from "./service.ts";
import { logPage, logQuery, securityLogPage, securityLogQuery } from "./shapes.ts";

export const routes = [
  endpoint({
    name: "listSystemLogs",
    method: "get",
    path: "/v1/admin/logs",
    summary: "Warnings and errors of the system",
    description:
      "By level, category, event, person, workspace, conversion, job, request, text and time. Best effort: the platform's own log has all lines.",
    access: "staff:read",
    query: logQuery,
    returns: logPage,
    handle: (ctx, { query }) => service.logPage(ctx, query),
  }),
  endpoint({
    name: "listSecurityLogs",
    method: "get",
    path: "/v1/admin/security-logs",
    summary: "Sign-ins, failures, keys, and every act of staff",
    description: "With old and new values of what was changed; secrets are redacted. Repeated failures are one entry.",
    access: "staff:security-logs:read",
    query: securityLogQuery,
    returns: securityLogPage,
    handle: (ctx, { query }) => service.securityLogPage(ctx, query),
  }),
];
