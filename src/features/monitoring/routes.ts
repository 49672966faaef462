/** /health for machines, /v1/status for people. */
import { endpoint } from "#core/endpoint";
import { healthShape, statusShape } from "./shapes.ts";
import * as service from "./service.ts";

export const routes = [
  endpoint({
    name: "health",
    method: "get",
    path: "/health",
    summary: "Does the service answer (one database read)",
    access: "public",
    returns: healthShape,
    handle: (ctx) => service.health(ctx),
  }),
  endpoint({
    name: "status",
    method: "get",
    path: "/v1/status",
    summary: "The state of database, storage, queues, cron, mail, model providers and key rotation",
    access: "public",
    limit: "open",
    returns: statusShape,
    handle: (ctx) => service.status(ctx),
  }),
];
