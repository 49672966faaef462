/** /v1/convert/*, /v1/conversions and the statistics: sealing audio into images and opening it again. */
import { endpoint, rawEndpoint } from "#core/endpoint";
import type { ProblemCode } from "#core/problem";
import { convertAudioToImage, convertImageToAudio } from "./convert.ts";
import { downloadImage, downloadZip } from "./downloads.ts";
import * as service from "./service.ts";
import {
  conversionAnswer,
  conversionListQuery,
  conversionPage,
  conversionParams,
  conversionShape,
  imageParams,
  openingBody,
  openingForm,
  sealingBody,
  sealingForm,
  selfQuery,
  statsParams,
  statsShape,
} from "./shapes.ts";

/** Of a body that the handler reads itself. */
const bodyProblems = [
  "invalid-json",
  "unsupported-content-type",
  "body-too-large",
  "validation-failed",
  "server-owned-member",
] as const satisfies ProblemCode[];
const formProblems = [
  "form-invalid",
  "form-file-missing",
  "use-direct-upload",
  "file-empty",
  "file-type-unsupported",
  "file-type-mismatch",
] as const satisfies ProblemCode[];
const startProblems = [
  "file-not-found",
  "storage-quota-exceeded",
  "encryption-key-invalid",
  "encryption-key-damaged",
] as const satisfies ProblemCode[];
/** What a job can fail with, answered to those who wait for it. */
const endProblems = ["job-cancelled", "job-lost", "conversion-not-found"] as const satisfies ProblemCode[];
const keyProblems = [
  "encryption-key-not-found",
  "encryption-key-deactivated",
  "encryption-key-destroyed",
  "encryption-key-wrong",
  "request-key-erased",
] as const satisfies ProblemCode[];
const imageProblems = [
  "not-an-image",
  "lossy-image",
  "image-too-large",
  "image-unsupported",
  "image-damaged",
  "not-sealed",
  "header-damaged",
  "image-altered",
  "images-mixed",
  "images-missing",
  "image-doubled",
  "opened-hash-mismatch",
  "archive-invalid",
] as const satisfies ProblemCode[];

const waiting =
  "Answers 202 with the job; with `Prefer: wait=N` (at most 30) 200 with the result, or the problem that the job ended with.";

export const routes = [
  endpoint({
    name: "convertAudioToImage",
    method: "post",
    path: "/v1/convert/audio-to-image",
    summary: "Seal audio into encrypted images",
    description: `${waiting} A form may carry the audio itself, streamed, up to 95 MiB.`,
    access: "conversions:write",
    consumes: { "application/json": sealingBody, "multipart/form-data": sealingForm },
    returns: conversionAnswer,
    status: 202,
    idempotent: true,
    problems: [
      ...bodyProblems,
      ...formProblems,
      ...startProblems,
      ...keyProblems,
      ...endProblems,
      "source-changed",
      "too-many-images",
    ],
    handle: (ctx, { request }) => convertAudioToImage(ctx, request),
  }),
  endpoint({
    name: "convertImageToAudio",
    method: "post",
    path: "/v1/convert/image-to-audio",
    summary: "Open sealed images",
    description: `${waiting} The images are those of a conversion, or uploaded files in any order.`,
    access: "conversions:write",
    consumes: { "application/json": openingBody, "multipart/form-data": openingForm },
    returns: conversionAnswer,
    status: 202,
    idempotent: true,
    problems: [
      ...bodyProblems,
      ...formProblems,
      ...startProblems,
      ...keyProblems,
      ...endProblems,
      ...imageProblems,
      "use-conversion-id",
      "source-required",
      "conversion-not-ready",
      "too-many-images",
      "file-too-large",
    ],
    handle: (ctx, { request }) => convertImageToAudio(ctx, request),
  }),
  endpoint({
    name: "listConversions",
    method: "get",
    path: "/v1/conversions",
    summary: "Conversions, newest first",
    access: "conversions:read",
    query: conversionListQuery,
    returns: conversionPage,
    problems: ["invalid-cursor", "user-not-found"],
    handle: (ctx, { query }) => service.listConversionPage(ctx, query),
  }),
  endpoint({
    name: "getConversion",
    method: "get",
    path: "/v1/conversions/{id}",
    summary: "One conversion with its images",
    access: "conversions:read",
    params: conversionParams,
    returns: conversionShape,
    problems: ["conversion-not-found"],
    handle: (ctx, { params }) => service.getConversion(ctx, params.id),
  }),
  rawEndpoint({
    name: "getConversionImage",
    method: "get",
    path: "/v1/conversions/{id}/images/{index}",
    summary: "One sealed image, by index or file name",
    access: "conversions:read",
    params: imageParams,
    produces: { "image/png": "The image." },
    problems: ["conversion-not-found", "conversion-not-ready", "image-not-found", "file-damaged"],
    handle: (ctx, { params, request }) =>
      downloadImage(ctx, { id: params.id, image: params.index, headers: request.headers }),
  }),
  rawEndpoint({
    name: "downloadConversionZip",
    method: "get",
    path: "/v1/conversions/{id}/download-zip",
    summary: "All sealed images as one ZIP",
    access: "conversions:read",
    params: conversionParams,
    query: selfQuery,
    produces: { "application/zip": "The images, uncompressed." },
    problems: ["conversion-not-found", "conversion-not-ready", "image-not-found", "file-damaged", "user-not-found"],
    handle: (ctx, { params, query, request }) => {
      service.requireSelf(ctx, query.userId);
      return downloadZip(ctx, { id: params.id, headers: request.headers });
    },
  }),
  endpoint({
    name: "deleteConversion",
    method: "delete",
    path: "/v1/conversions/{id}",
    summary: "Delete a conversion with its images and data key",
    access: "conversions:write",
    params: conversionParams,
    query: selfQuery,
    status: 204,
    problems: ["conversion-not-found", "conversion-running", "user-not-found"],
    handle: async (ctx, { params, query }) => {
      service.requireSelf(ctx, query.userId);
      await service.deleteConversion(ctx, params.id);
    },
  }),
  endpoint({
    name: "getUserStatistics",
    method: "get",
    path: "/v1/stats/user/{userId}",
    summary: "Statistics of one's own conversions",
    access: "conversions:read",
    params: statsParams,
    returns: statsShape,
    problems: ["user-not-found"],
    handle: (ctx, { params }) => service.readStats(ctx, params.userId),
  }),
];
