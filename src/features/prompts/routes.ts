/** /v1/prompt/completions and /v1/batch/*: prompts in system B's names. Errors are problem documents, not OpenAI's. */
import { endpoint, rawEndpoint } from "#core/endpoint";
import { readBatch, startBatch } from "./batches.ts";
import { completePrompt } from "./complete.ts";
import { batchAnswer, batchBody, batchParams, promptAnswer, promptBody } from "./shapes.ts";

const problems = [
  "prompt-style-not-allowed",
  "prompt-level-not-allowed",
  "server-owned-member",
  "model-not-found",
  "model-not-allowed",
  "model-provider-not-configured",
  "model-unavailable",
  "model-timeout",
  "model-rate-limited",
  "model-request-refused",
  "quota-exceeded",
] as const;

export const routes = [
  rawEndpoint({
    name: "createPromptCompletion",
    method: "post",
    path: "/v1/prompt/completions",
    summary: "Complete an enhanced prompt",
    description:
      "One credit a call, beside tokens. The style's instructions come before your own system messages, which are kept. With `ai_research` the last message is looked up on the web first; in a stream an event without choices carries `research`.",
    access: "models:use",
    limitClass: "chat",
    body: promptBody,
    returns: promptAnswer,
    produces: {
      "application/json": "the answer",
      "text/event-stream":
        "with `stream`: its events, as OpenAI sends them; with `X-Overtone-Resumable: true` they can be read on after a lost connection (GET /v1/streams/{id})",
    },
    problems,
    handle: (ctx, { body, request }) => completePrompt(ctx, body, request),
  }),
  endpoint({
    name: "processBatch",
    method: "post",
    path: "/v1/batch/process",
    summary: "Enhance many prompts",
    description:
      "At most 50 tasks. A credit for each is set aside before the first begins, and those of failed tasks return. Answers 200 when all have ended within 25 seconds, else 202: read GET /v1/batch/{id}, or follow the job.",
    access: "models:use",
    limitClass: "batch",
    body: batchBody,
    returns: batchAnswer,
    status: 200,
    idempotent: true,
    answersAnew: true,
    problems: ["prompt-style-not-allowed", "prompt-level-not-allowed", "server-owned-member", "quota-exceeded"],
    handle: (ctx, { body, request }) => startBatch(ctx, body, request),
  }),
  endpoint({
    name: "getBatch",
    method: "get",
    path: "/v1/batch/{id}",
    summary: "A batch and its results",
    description: "While it runs, with the results that are there. Kept for 30 days.",
    access: "models:use",
    params: batchParams,
    returns: batchAnswer,
    problems: ["batch-not-found"],
    handle: (ctx, { params }) => readBatch(ctx, params.id),
  }),
];
