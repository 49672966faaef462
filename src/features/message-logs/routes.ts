/** /v1/message-logs: what one asked of models; and the same for staff. */
import { endpoint } from "#core/endpoint";
import { pageQuery } from "#core/page";
import * as service from "./service.ts";
import { erasedShape, eraseQuery, ownLogPage, ownLogQuery, staffLogPage, userParams } from "./shapes.ts";

export const routes = [
  endpoint({
    name: "listOwnMessageLogs",
    method: "get",
    path: "/v1/message-logs",
    summary: "Your model requests, newest first",
    description:
      "When, what model, what it came to and how it ended; kept for `RETENTION_DAYS_LOGS` days. What was said is kept only where the workspace's settings say `messageLog: contents`, redacted and cut. Entries appear a few seconds after the answer.",
    access: "message-logs:read",
    query: ownLogQuery,
    returns: ownLogPage,
    problems: ["invalid-cursor", "permission-denied"],
    handle: (ctx, { query }) => service.ownLogPage(ctx, query),
  }),
  endpoint({
    name: "eraseMessageLogs",
    method: "delete",
    path: "/v1/message-logs",
    summary: "Erase your entries of the log, all or those of a time",
    description: "Your own in this workspace, for good. What they came to stays counted in usage.",
    access: "message-logs:write",
    query: eraseQuery,
    returns: erasedShape,
    status: 200,
    handle: (ctx, { query }) => service.eraseOwn(ctx, query),
  }),
  endpoint({
    name: "listMessageLogs",
    method: "get",
    path: "/v1/admin/message-logs/{userId}",
    summary: "What a person asked of models; reading it is recorded",
    access: "staff:messages:read",
    params: userParams,
    query: pageQuery,
    returns: staffLogPage,
    problems: ["user-not-found"],
    handle: (ctx, { params, query }) => service.staffLogPage(ctx, params.userId, query),
  }),
];
