/** /v1/auth/sessions: where the person is signed in. */
import { endpoint } from "#core/endpoint";
import * as sessions from "../sessions.ts";
import { endedShape, sessionPage, sessionParams } from "../session-shapes.ts";

export const sessionRoutes = [
  endpoint({
    name: "listSessions",
    method: "get",
    path: "/v1/auth/sessions",
    summary: "Where the person is signed in, last used first",
    access: "session",
    returns: sessionPage,
    handle: (ctx) => sessions.listOwnSessions(ctx),
  }),
  endpoint({
    name: "endOtherSessions",
    method: "delete",
    path: "/v1/auth/sessions",
    summary: "End all other sessions",
    access: "session",
    returns: endedShape,
    handle: (ctx) => sessions.endOtherSessions(ctx),
  }),
  endpoint({
    name: "endSession",
    method: "delete",
    path: "/v1/auth/sessions/{id}",
    summary: "End one session",
    access: "session",
    params: sessionParams,
    problems: ["session-not-found"],
    handle: (ctx, { params }) => sessions.endOwnSession(ctx, params.id),
  }),
];
