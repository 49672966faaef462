/** The model operations under OpenAI's paths: its own clients work by another base URL and key. */
import { type DescribedEndpoint, rawEndpoint } from "#core/endpoint";
import type { Shape } from "#core/shape";
import { type Operation, operations } from "./operations.ts";
import { serveModel } from "./serve.ts";
import { chatBody, completionBody, embeddingsBody, modelAnswer, moderationsBody } from "./shapes.ts";

/** Pictures travel inside a request, in base64. */
export const bodyBytesMax = 20 * 1024 * 1024;

export const modelProblems = [
  "model-not-found",
  "model-not-allowed",
  "model-capability-missing",
  "model-provider-not-configured",
  "model-unavailable",
  "model-timeout",
  "model-rate-limited",
  "model-request-refused",
  "quota-exceeded",
] as const;

interface Words {
  name: string;
  summary: string;
  description?: string;
  operation: Operation;
  body: Shape;
  streams: boolean;
}

function modelEndpoint({ operation, streams, ...words }: Words): DescribedEndpoint {
  return rawEndpoint({
    ...words,
    method: "post",
    path: `/v1${operation.path}` as `/${string}`,
    access: "models:use",
    limitClass: "chat",
    bodyBytesMax,
    errors: "openai",
    problems: modelProblems,
    returns: modelAnswer,
    produces: {
      "application/json": "the answer",
      ...(streams
        ? {
            "text/event-stream":
              "with `stream`: its events, as OpenAI sends them; with `X-Overtone-Resumable: true` they can be read on after a lost connection (GET /v1/streams/{id})",
          }
        : {}),
    },
    handle: (ctx, { body, request }) => serveModel(ctx, { operation, body: body as never, request }),
  });
}

export const routes = [
  modelEndpoint({
    name: "createChatCompletion",
    summary: "Ask a model",
    description:
      "OpenAI's chat completion: streams, tools, structured output, images. Members that are not listed here go to the provider as they came.",
    operation: operations.chat,
    body: chatBody,
    streams: true,
  }),
  modelEndpoint({
    name: "createCompletion",
    summary: "Complete a text",
    operation: operations.completions,
    body: completionBody,
    streams: true,
  }),
  modelEndpoint({
    name: "createEmbeddings",
    summary: "Vectors of texts",
    operation: operations.embeddings,
    body: embeddingsBody,
    streams: false,
  }),
  modelEndpoint({
    name: "createModeration",
    summary: "Judge a text",
    operation: operations.moderations,
    body: moderationsBody,
    streams: false,
  }),
];
