/** /v1/encryption-keys: the keys that wrap data keys, and imported EchoCipher master keys. */
import { endpoint, Reply } from "#core/endpoint";
import * as service from "./service.ts";
import {
  deactivationQuery,
  keyListQuery,
  keyOwnerQuery,
  keyPage,
  keyParams,
  keyShape,
  newKeyShape,
  rotationShape,
} from "./shapes.ts";

export const routes = [
  endpoint({
    name: "createEncryptionKey",
    method: "post",
    path: "/v1/encryption-keys",
    summary: "Make a user or session key, or import an EchoCipher master key",
    description:
      "A person has one active user key and a session one active key: asking again answers 200 with the one that exists.",
    access: "encryption-keys:write",
    body: newKeyShape,
    returns: keyShape,
    status: 201,
    idempotent: true,
    problems: [
      "encryption-key-invalid",
      "encryption-key-exists",
      "encryption-key-limit-reached",
      "session-required",
      "server-owned-member",
    ],
    handle: async (ctx, { body }) => {
      const { key, isNew } = await service.createKey(ctx, body);
      return new Reply(key, { status: isNew ? 201 : 200 });
    },
  }),
  endpoint({
    name: "listEncryptionKeys",
    method: "get",
    path: "/v1/encryption-keys",
    summary: "Encryption keys, newest first",
    access: "encryption-keys:read",
    query: keyListQuery,
    returns: keyPage,
    problems: ["invalid-cursor", "user-not-found"],
    handle: (ctx, { query }) => service.listKeyPage(ctx, query),
  }),
  endpoint({
    name: "getEncryptionKey",
    method: "get",
    path: "/v1/encryption-keys/{id}",
    summary: "One encryption key",
    access: "encryption-keys:read",
    params: keyParams,
    returns: keyShape,
    problems: ["encryption-key-not-found"],
    handle: (ctx, { params }) => service.getKey(ctx, params.id),
  }),
  endpoint({
    name: "rotateEncryptionKey",
    method: "post",
    path: "/v1/encryption-keys/{id}/rotate",
    summary: "Replace a user key; images sealed before still open",
    access: "encryption-keys:write",
    params: keyParams,
    query: keyOwnerQuery,
    returns: rotationShape,
    idempotent: true,
    problems: ["encryption-key-not-found", "encryption-key-not-rotatable", "user-not-found"],
    handle: (ctx, { params, query }) => service.rotateKey(ctx, params.id, query),
  }),
  endpoint({
    name: "deactivateEncryptionKey",
    method: "post",
    path: "/v1/encryption-keys/{id}/deactivate",
    summary: "Switch a key off for good: nothing is sealed or opened with it any more",
    description:
      "A rotated key is not switched off while images still depend on it: the rotation's job moves them to the key that followed. `force=true` gives up those that have not moved.",
    access: "encryption-keys:write",
    params: keyParams,
    query: deactivationQuery,
    returns: keyShape,
    problems: ["encryption-key-not-found", "encryption-key-moving"],
    handle: (ctx, { params, query }) => service.deactivateKey(ctx, params.id, { force: query.force === "true" }),
  }),
];
