/** /v1/responses: OpenAI's newer way to ask a model, with what is kept kept here. */
import { endpoint, rawEndpoint } from "#core/endpoint";
import { deleteResponse, getResponse, listInputItems } from "./kept-responses.ts";
import {
  itemsAnswer,
  itemsQuery,
  responseAnswer,
  responseBody,
  responseDeleted,
  responseParams,
} from "./response-shapes.ts";
import { createResponse } from "./responses.ts";
import { bodyBytesMax, modelProblems } from "./routes.ts";

export const responseRoutes = [
  rawEndpoint({
    name: "createResponse",
    method: "post",
    path: "/v1/responses",
    summary: "Ask a model for a response",
    description:
      "OpenAI's responses, from every model: those that know chats only are asked for one. Conversations go on by `previous_response_id`, also with another model or provider.",
    access: "models:use",
    limitClass: "chat",
    bodyBytesMax,
    errors: "openai",
    problems: [...modelProblems, "previous-response-not-found"],
    body: responseBody,
    returns: responseAnswer,
    produces: {
      "application/json": "the response",
      "text/event-stream":
        "with `stream`: its events, as OpenAI sends them; with `X-Overtone-Resumable: true` they can be read on after a lost connection (GET /v1/streams/{id})",
    },
    handle: (ctx, { body, request }) => createResponse(ctx, { body, request }),
  }),
  endpoint({
    name: "getResponse",
    method: "get",
    path: "/v1/responses/{id}",
    summary: "A response that was kept",
    access: "models:use",
    errors: "openai",
    params: responseParams,
    returns: responseAnswer,
    problems: ["response-not-found"],
    handle: async (ctx, { params }) => (await getResponse(ctx, params.id)) as never,
  }),
  endpoint({
    name: "deleteResponse",
    method: "delete",
    path: "/v1/responses/{id}",
    summary: "Delete a response that was kept",
    access: "models:use",
    errors: "openai",
    params: responseParams,
    returns: responseDeleted,
    status: 200,
    problems: ["response-not-found"],
    handle: (ctx, { params }) => deleteResponse(ctx, params.id),
  }),
  endpoint({
    name: "listResponseInputItems",
    method: "get",
    path: "/v1/responses/{id}/input_items",
    summary: "The input of a response that was kept",
    access: "models:use",
    errors: "openai",
    params: responseParams,
    query: itemsQuery,
    returns: itemsAnswer,
    problems: ["response-not-found"],
    handle: (ctx, { params, query }) => listInputItems(ctx, params.id, query),
  }),
];
