/** /v1/uppy/{ticket}/s3/params and /form: files that Uppy sends in one piece, when its multipart is off. */
import { endpoint, Reply } from "#core/endpoint";
import { formFor, takeForm } from "../form.ts";
import { finishedShape, formBody, formParamsShape, paramsQuery, ticketParams } from "../shapes.ts";
import { enterByTicket } from "../ticket.ts";

const common = { access: "public", errors: "companion" } as const;
const problems = [
  "upload-ticket-invalid",
  "upload-ticket-expired",
  "rate-limited",
  "file-too-large",
  "file-type-unsupported",
  "file-type-mismatch",
] as const;

export const formRoutes = [
  endpoint({
    ...common,
    name: "uppyFormParams",
    method: "get",
    path: "/v1/uppy/{ticket}/s3/params",
    summary: "Where to post a small file, and with which fields (Companion)",
    description: "At most 20 MiB. Larger files go in parts: set shouldUseMultipart.",
    params: ticketParams,
    query: paramsQuery,
    returns: formParamsShape,
    problems,
    handle: async (ctx, { params, query }) =>
      formFor(await enterByTicket(ctx, params.ticket), {
        ticket: params.ticket,
        filename: query.filename,
        type: query.type ?? null,
        size: query["metadata[size]"] ?? null,
      }),
  }),
  endpoint({
    ...common,
    name: "uppyForm",
    method: "post",
    path: "/v1/uppy/{ticket}/form",
    summary: "Upload a small file by a form",
    description: "The fields of s3/params first, the file last. The same key again answers the same file.",
    params: ticketParams,
    consumes: { "multipart/form-data": formBody },
    returns: finishedShape,
    status: 201,
    problems: [
      ...problems,
      "upload-ticket-used-up",
      "form-invalid",
      "form-file-missing",
      "file-empty",
      "storage-quota-exceeded",
    ],
    handle: async (ctx, { params, request }) => {
      const entered = await enterByTicket(ctx, params.ticket);
      const { file, key } = await takeForm(entered, request);
      const location = `${ctx.settings.publicUrl}/v1/files/${file.id}/content`;
      const body = { location, key, bucket: "media", fileId: file.id };
      return new Reply(body, { headers: { location, etag: `"${file.sha256}"` } });
    },
  }),
];
