/** /v1/api-keys: the credentials of programs. */
import { endpoint } from "#core/endpoint";
import { pageQuery } from "#core/page";
import * as service from "./service.ts";
import {
  apiKeyPage,
  apiKeyShape,
  changeKeyBody,
  createdKeyShape,
  createKeyBody,
  keyParams,
  keyUsageShape,
  rotatedKeyShape,
  rotateKeyBody,
  usageQuery,
  validatedKeyShape,
  validateKeyBody,
} from "./shapes.ts";
import { usesOf } from "./usage.ts";
import { validateKey } from "./validate.ts";

/** What the request came with, as its access check has read it. */
function credentialOf({ headers }: Request): string | null {
  return headers.get("authorization")?.replace(/^bearer\s+/i, "") ?? headers.get("x-api-key");
}

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
    problems: ["scope-not-grantable", "api-key-limit-reached", "api-key-known"],
    handle: (ctx, { body }) => service.createKey(ctx, body),
  }),
  endpoint({
    name: "validateApiKey",
    method: "post",
    path: "/v1/api-keys/validate",
    summary: "May this key do that now? Answers with a code and takes what the use costs from the key's limits",
    description:
      "Codes: VALID, NOT_FOUND (also keys of other workspaces), FORBIDDEN (its list of addresses), DISABLED, EXPIRED, INSUFFICIENT_PERMISSIONS, RATE_LIMITED, USAGE_EXCEEDED.",
    access: "signed-in",
    body: validateKeyBody,
    bodyOptional: true,
    returns: validatedKeyShape,
    problems: ["scope-query-invalid"],
    handle: (ctx, { body, request }) => validateKey(ctx, body, credentialOf(request)),
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
    summary: "Rename, re-scope, restrict, disable or enable a key",
    access: "api-keys:write",
    params: keyParams,
    body: changeKeyBody,
    returns: apiKeyShape,
    problems: ["api-key-not-found", "scope-not-grantable"],
    handle: (ctx, { params, body }) => service.changeKey(ctx, params.id, body),
  }),
  endpoint({
    name: "rotateApiKey",
    method: "post",
    path: "/v1/api-keys/{id}/rotate",
    summary: "A new secret for the same key, shown once; the old one works until the grace ends",
    access: "api-keys:write",
    idempotent: true,
    secrets: ["key"],
    params: keyParams,
    body: rotateKeyBody,
    bodyOptional: true,
    returns: rotatedKeyShape,
    problems: ["api-key-not-found", "scope-not-grantable", "api-key-rotating"],
    handle: (ctx, { params, body }) => service.rotateKey(ctx, params.id, body),
  }),
  endpoint({
    name: "getApiKeyUsage",
    method: "get",
    path: "/v1/api-keys/{id}/usage",
    summary: "Uses of a key by day and outcome, some seconds late",
    access: "api-keys:read",
    params: keyParams,
    query: usageQuery,
    returns: keyUsageShape,
    problems: ["api-key-not-found"],
    handle: async (ctx, { params, query }) => usesOf(ctx, (await service.getKey(ctx, params.id)).id, query.days),
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
