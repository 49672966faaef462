/** /v1/api-keys: the credentials of programs. */
import { endpoint } from "#core/endpoint";
import { pageQuery } from "#core/page";
import * as service from "./service.ts";
import { apiKeyPage, apiKeyShape, changeKeyBody, createdKeyShape, createKeyBody, keyParams } from "./shapes.ts";

export const routes = [
  endpoint({
    name: "listApiKeys",
    method: "get",
    path: "/v1/api-keys",
    summary: "API keys of the workspace, newest first",
    access: "api-keys:read",
    query: pageQuery,
    returns: apiKeyPage,
    problems: ["invalid-cursor"],
    handle: (ctx, { query }) => service.listKeyPage(ctx, query),
  }),
  endpoint({
    name: "createApiKey",
    method: "post",
    path: "/v1/api-keys",
    summary: "Make an API key; it is shown once",
    access: "api-keys:write",
    idempotent: true,
    secrets: ["key"],
    body: createKeyBody,
    returns: createdKeyShape,
    status: 201,
    problems: ["scope-not-grantable", "api-key-limit-reached"],
    handle: (ctx, { body }) => service.createKey(ctx, body),
  }),
  endpoint({
    name: "getApiKey",
    method: "get",
    path: "/v1/api-keys/{id}",
    summary: "One API key",
    access: "api-keys:read",
    params: keyParams,
    returns: apiKeyShape,
    problems: ["api-key-not-found"],
    handle: async (ctx, { params }) => service.toApiKey(await service.getKey(ctx, params.id)),
  }),
  endpoint({
    name: "changeApiKey",
    method: "patch",
    path: "/v1/api-keys/{id}",
    summary: "Rename, re-scope, disable or enable a key",
    access: "api-keys:write",
    params: keyParams,
    body: changeKeyBody,
    returns: apiKeyShape,
    problems: ["api-key-not-found", "scope-not-grantable"],
    handle: (ctx, { params, body }) => service.changeKey(ctx, params.id, body),
  }),
  endpoint({
    name: "deleteApiKey",
    method: "delete",
    path: "/v1/api-keys/{id}",
    summary: "Delete a key: it stops working",
    access: "api-keys:write",
    params: keyParams,
    problems: ["api-key-not-found"],
    handle: (ctx, { params }) => service.deleteKey(ctx, params.id),
  }),
];
