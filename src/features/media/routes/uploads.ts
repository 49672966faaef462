/** /v1/uploads: bytes go straight to storage by the URLs that these operations sign. */
import { endpoint } from "#core/endpoint";
import { completeUpload } from "../complete-upload.ts";
import { toFile } from "../file-service.ts";
import {
  completedUpload,
  completeUploadBody,
  createUploadBody,
  uploadListQuery,
  uploadPage,
  uploadParams,
  uploadPartsAnswer,
  uploadPartsBody,
  uploadShape,
} from "../shapes.ts";
import * as service from "../upload-service.ts";

export const uploadRoutes = [
  endpoint({
    name: "createUpload",
    method: "post",
    path: "/v1/uploads",
    summary: "Start an upload",
    description:
      "Reserves the quota and answers the first URLs. Up to 10 MiB one PUT takes the whole file; above, each part has its own URL.",
    access: "files:write",
    body: createUploadBody,
    returns: uploadShape,
    status: 201,
    idempotent: true,
    // The URLs are bearer secrets, and a kept one might have expired.
    answersAnew: true,
    problems: [
      "file-empty",
      "file-too-large",
      "file-type-unsupported",
      "file-type-mismatch",
      "upload-limit-reached",
      "storage-quota-exceeded",
    ],
    handle: (ctx, { body }) => service.createUpload(ctx, body),
  }),
  endpoint({
    name: "listUploads",
    method: "get",
    path: "/v1/uploads",
    summary: "Uploads, newest first",
    access: "files:read",
    query: uploadListQuery,
    returns: uploadPage,
    problems: ["invalid-cursor"],
    handle: (ctx, { query }) => service.listUploadPage(ctx, query),
  }),
  endpoint({
    name: "getUpload",
    method: "get",
    path: "/v1/uploads/{id}",
    summary: "One upload with the parts that are known: what a resume needs",
    access: "files:read",
    params: uploadParams,
    returns: uploadShape,
    problems: ["upload-not-found"],
    handle: (ctx, { params }) => service.getUpload(ctx, params.id),
  }),
  endpoint({
    name: "uploadParts",
    method: "post",
    path: "/v1/uploads/{id}/parts",
    summary: "Sign URLs for parts, and report parts that are in storage",
    access: "files:write",
    params: uploadParams,
    body: uploadPartsBody,
    bodyOptional: true,
    returns: uploadPartsAnswer,
    status: 200,
    problems: ["upload-not-found", "upload-ended", "upload-expired", "part-invalid"],
    handle: (ctx, { params, body }) => service.handleParts(ctx, params.id, body),
  }),
  endpoint({
    name: "completeUpload",
    method: "post",
    path: "/v1/uploads/{id}/complete",
    summary: "Verify what was uploaded and make the file",
    description:
      "Size, type and SHA-256 are checked against what was declared; what fails is removed. Repeating it answers the same.",
    access: "files:write",
    params: uploadParams,
    body: completeUploadBody,
    bodyOptional: true,
    returns: completedUpload,
    status: 200,
    problems: [
      "upload-not-found",
      "upload-ended",
      "upload-expired",
      "upload-missing",
      "parts-missing",
      "part-invalid",
      "size-mismatch",
      "hash-mismatch",
      "file-type-unsupported",
      "file-type-mismatch",
      "storage-quota-exceeded",
      "file-not-found",
      "unavailable",
    ],
    handle: async (ctx, { params, body }) => {
      const { upload, file } = await completeUpload(ctx, params.id, body.parts ?? []);
      return { upload: await service.describeUpload(ctx, upload), file: toFile(file) };
    },
  }),
  endpoint({
    name: "abortUpload",
    method: "delete",
    path: "/v1/uploads/{id}",
    summary: "Give an upload up: its bytes go and its quota comes back",
    access: "files:write",
    params: uploadParams,
    status: 204,
    problems: ["upload-not-found", "upload-ended", "upload-expired"],
    handle: async (ctx, { params }) => {
      await service.abortUpload(ctx, params.id);
      return undefined;
    },
  }),
];
