/** Logs for staff. */
import { endpoint } from "#core/endpoint";
import { pageQuery } from "#core/page";
import * as service from "./service.ts";
import { logPage, logQuery, messageLogPage, securityLogPage, securityLogQuery, userParams } from "./shapes.ts";

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
  endpoint({
    name: "listMessageLogs",
    method: "get",
    path: "/v1/admin/message-logs/{userId}",
    summary: "What a person asked of models; reading it is recorded",
    access: "staff:messages:read",
    params: userParams,
    query: pageQuery,
    returns: messageLogPage,
    problems: ["user-not-found"],
    handle: (ctx, { params, query }) => service.messageLogPage(ctx, params.userId, query),
  }),
];
