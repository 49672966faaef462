/** /v1/files: what was uploaded or opened, and its bytes. */
import { endpoint, rawEndpoint } from "#core/endpoint";
import { answerContent } from "../content.ts";
import * as service from "../file-service.ts";
import {
  contentQuery,
  deleteFileQuery,
  fileListQuery,
  filePage,
  fileParams,
  fileShape,
  renameFileBody,
} from "../shapes.ts";

export const fileRoutes = [
  endpoint({
    name: "listFiles",
    method: "get",
    path: "/v1/files",
    summary: "Files, newest first",
    access: "files:read",
    query: fileListQuery,
    returns: filePage,
    problems: ["invalid-cursor"],
    handle: (ctx, { query }) => service.listFilePage(ctx, query),
  }),
  endpoint({
    name: "getFile",
    method: "get",
    path: "/v1/files/{id}",
    summary: "One file",
    access: "files:read",
    params: fileParams,
    returns: fileShape,
    problems: ["file-not-found"],
    handle: async (ctx, { params }) => service.toFile(await service.getFile(ctx, params.id)),
  }),
  rawEndpoint({
    name: "getFileContent",
    method: "get",
    path: "/v1/files/{id}/content",
    summary: "The bytes of a file, whole or one range",
    description:
      "Honours Range, If-Range and If-None-Match; answers 200, 206 or 304. The ETag is the SHA-256 of the bytes.",
    access: "files:read",
    params: fileParams,
    query: contentQuery,
    produces: { "application/octet-stream": "The bytes, with the file's own content type." },
    problems: ["file-not-found", "range-not-satisfiable", "file-damaged"],
    handle: async (ctx, { params, query, request }) => {
      const file = await service.getFile(ctx, params.id);
      return answerContent(ctx, file, { headers: request.headers, disposition: query.disposition });
    },
  }),
  endpoint({
    name: "renameFile",
    method: "patch",
    path: "/v1/files/{id}",
    summary: "Rename a file; the extension must still go with its content",
    access: "files:write",
    params: fileParams,
    body: renameFileBody,
    returns: fileShape,
    problems: ["file-not-found", "file-type-unsupported", "file-type-mismatch"],
    handle: async (ctx, { params, body }) => service.toFile(await service.renameFile(ctx, params.id, body.name)),
  }),
  endpoint({
    name: "deleteFile",
    method: "delete",
    path: "/v1/files/{id}",
    summary: "Delete a file; its quota comes back at once",
    access: "files:write",
    params: fileParams,
    query: deleteFileQuery,
    status: 204,
    problems: ["file-not-found", "file-in-use"],
    handle: async (ctx, { params, query }) => {
      await service.deleteFile(ctx, params.id, { force: query.force === "true" });
      return undefined;
    },
  }),
];
