/** /v1/jobs: what runs in the background, live and afterwards. */
import { endpoint, rawEndpoint, Reply } from "#core/endpoint";
import { hasEnded } from "#core/states";
import * as service from "./service.ts";
import { jobListQuery, jobPage, jobParams, jobShape } from "./shapes.ts";

export const routes = [
  endpoint({
    name: "listJobs",
    method: "get",
    path: "/v1/jobs",
    summary: "Jobs, newest first",
    description: "Those that people and keys started, unless `kind` or `include` asks for others.",
    access: "jobs:read",
    query: jobListQuery,
    returns: jobPage,
    problems: ["invalid-cursor"],
    handle: (ctx, { query }) => service.listJobPage(ctx, query),
  }),
  endpoint({
    name: "getJob",
    method: "get",
    path: "/v1/jobs/{id}",
    summary: "One job",
    access: "jobs:read",
    params: jobParams,
    returns: jobShape,
    problems: ["job-not-found"],
    handle: async (ctx, { params }) => service.toJob(await service.getJob(ctx, params.id)),
  }),
  rawEndpoint({
    name: "streamJobEvents",
    method: "get",
    path: "/v1/jobs/{id}/events",
    summary: "Progress as Server-Sent Events, replayed from Last-Event-ID",
    access: "jobs:read",
    params: jobParams,
    produces: {
      "text/event-stream":
        "Events `progress`, `retrying`, `retried`, `succeeded`, `failed`, `cancelled`, and a last `end` with the job.",
    },
    problems: ["job-not-found"],
    handle: async (ctx, { params, request }) => {
      await service.getJob(ctx, params.id);
      const after = Number(request.headers.get("last-event-id") ?? 0);
      const stream = service.streamEvents(ctx, params.id, Number.isSafeInteger(after) && after > 0 ? after : 0);
      return new Response(stream, {
        headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
      });
    },
  }),
  endpoint({
    name: "cancelJob",
    method: "post",
    path: "/v1/jobs/{id}/cancel",
    summary: "Cancel a job: at once when it waits, at its next step when it runs",
    access: "jobs:write",
    params: jobParams,
    returns: jobShape,
    problems: ["job-not-found", "job-not-cancellable"],
    handle: async (ctx, { params }) => {
      const row = await service.cancelJob(ctx, params.id);
      return new Reply(service.toJob(row), { status: hasEnded(row.state) ? 200 : 202 });
    },
  }),
  endpoint({
    name: "retryJob",
    method: "post",
    path: "/v1/jobs/{id}/retry",
    summary: "Run a failed or cancelled job again",
    access: "jobs:write",
    params: jobParams,
    returns: jobShape,
    status: 202,
    idempotent: true,
    problems: ["job-not-found", "job-not-retryable"],
    handle: async (ctx, { params }) => service.toJob(await service.retryJob(ctx, params.id)),
  }),
];
