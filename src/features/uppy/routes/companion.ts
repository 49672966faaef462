/**
 * /v1/uppy/{ticket}/s3/multipart: what Uppy 5 and 6 call of Companion, name by name. The ticket in the path is the only credential; other
 * ones are not looked at.
 */
import { endpoint } from "#core/endpoint";
import * as service from "../service.ts";
import {
  batchQuery,
  batchShape,
  beginBody,
  begunShape,
  finishBody,
  finishedShape,
  keyQuery,
  nothingShape,
  partListShape,
  signedPartShape,
  ticketParams,
  ticketPartParams,
  ticketUploadParams,
} from "../shapes.ts";
import { enterByTicket } from "../ticket.ts";

const common = { access: "public", errors: "companion" } as const;
const ofTicket = ["upload-ticket-invalid", "upload-ticket-expired", "rate-limited"] as const;
const ofUpload = [...ofTicket, "upload-not-found", "upload-ended", "upload-expired"] as const;
const uploadPath = "/v1/uppy/{ticket}/s3/multipart/{uploadId}";

export const companionRoutes = [
  endpoint({
    ...common,
    name: "beginUppyUpload",
    method: "post",
    path: "/v1/uppy/{ticket}/s3/multipart",
    summary: "Start an upload in parts (Companion)",
    description:
      "Reserves what the file may come to: the size in `metadata.size`, where the app puts it there, else the ticket's maxBytes.",
    params: ticketParams,
    body: beginBody,
    returns: begunShape,
    status: 200,
    problems: [
      ...ofTicket,
      "upload-ticket-used-up",
      "upload-limit-reached",
      "file-too-large",
      "file-type-unsupported",
      "file-type-mismatch",
      "storage-quota-exceeded",
    ],
    handle: async (ctx, { params, body }) => service.beginUpload(await enterByTicket(ctx, params.ticket), body),
  }),
  endpoint({
    ...common,
    name: "listUppyParts",
    method: "get",
    path: uploadPath,
    summary: "The parts that are in storage (Companion)",
    description: "As storage lists them, else what was reported. A client sends again what is not named.",
    params: ticketUploadParams,
    query: keyQuery,
    returns: partListShape,
    problems: ofUpload,
    handle: async (ctx, { params, query }) =>
      service.listUploaded(await enterByTicket(ctx, params.ticket), { ...params, ...query }),
  }),
  endpoint({
    ...common,
    name: "signUppyParts",
    method: "get",
    path: `${uploadPath}/batch`,
    summary: "URLs for several parts (Companion, older clients)",
    params: ticketUploadParams,
    query: batchQuery,
    returns: batchShape,
    problems: [...ofUpload, "part-invalid"],
    handle: async (ctx, { params, query }) =>
      service.signBatch(await enterByTicket(ctx, params.ticket), { ...params, ...query }, query.partNumbers),
  }),
  endpoint({
    ...common,
    name: "signUppyPart",
    method: "get",
    path: `${uploadPath}/{partNumber}`,
    summary: "The URL for one part (Companion)",
    params: ticketPartParams,
    query: keyQuery,
    returns: signedPartShape,
    problems: [...ofUpload, "part-invalid"],
    handle: async (ctx, { params, query }) =>
      service.signPart(await enterByTicket(ctx, params.ticket), { ...params, ...query }, params.partNumber),
  }),
  endpoint({
    ...common,
    name: "finishUppyUpload",
    method: "post",
    path: `${uploadPath}/complete`,
    summary: "Verify what was uploaded and make the file (Companion)",
    description:
      "Tags that storage does not have change nothing: the upload stays open. Repeating it answers the same.",
    params: ticketUploadParams,
    query: keyQuery,
    body: finishBody,
    returns: finishedShape,
    status: 200,
    problems: [
      ...ofUpload,
      "upload-missing",
      "parts-missing",
      "part-invalid",
      "file-empty",
      "file-too-large",
      "file-type-mismatch",
      "storage-quota-exceeded",
      "file-not-found",
      "unavailable",
    ],
    handle: async (ctx, { params, query, body }) =>
      service.finish(await enterByTicket(ctx, params.ticket), { ...params, ...query }, body),
  }),
  endpoint({
    ...common,
    name: "abortUppyUpload",
    method: "delete",
    path: uploadPath,
    summary: "Give an upload up (Companion)",
    params: ticketUploadParams,
    query: keyQuery,
    returns: nothingShape,
    problems: ofUpload,
    handle: async (ctx, { params, query }) =>
      service.giveUp(await enterByTicket(ctx, params.ticket), { ...params, ...query }),
  }),
];
