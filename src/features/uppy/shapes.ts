/** What apps ask of tickets, and what Uppy sends and reads: the latter has Companion's names, whatever ours are. */
import * as z from "zod";
import { maxFileBytes } from "#core/plans";
import { type Output, shape } from "#core/shape";
import { etag } from "#features/media/shapes";

export const ticketSecondsMax = 21_600;

export const ticketBody = shape(() =>
  z
    .strictObject({
      workspaceId: z.string().max(64).optional().meta({ description: "The workspace that the request acts in." }),
      maxBytes: z
        .number()
        .int()
        .min(1)
        .max(maxFileBytes)
        .default(maxFileBytes)
        .meta({ description: "Of one file.", example: 104_857_600 }),
      maxFiles: z.number().int().min(1).max(1_000).default(1).meta({ example: 20 }),
      accept: z
        .array(z.string().min(1).max(200))
        .max(50)
        .default([])
        .meta({
          description: "Media types, or audio/*, video/*, image/*. Empty: all that are taken.",
          example: ["audio/*"],
        }),
      ttlSeconds: z.number().int().min(1).max(ticketSecondsMax).default(3_600),
    })
    .meta({ id: "CreateUploadTicket" }),
);

export const ticketShape = shape(() =>
  z
    .object({
      ticket: z.string(),
      expiresAt: z.string(),
      uppyEndpoint: z.string().meta({ description: "`companionEndpoint` of Uppy 6, `endpoint` of Uppy 5." }),
      maxBytes: z.number().int(),
      maxFiles: z.number().int(),
      accept: z.array(z.string()),
    })
    .meta({ id: "UploadTicket" }),
);

const ticket = shape(() => z.string().max(4_096).meta({ description: "Of POST /v1/upload-tickets." }));
const uploadId = shape(() => z.string().max(64).meta({ example: "upl_01kahs7m3n0000000000000000" }));

export const ticketParams = shape(() => z.object({ ticket: ticket() }));
export const ticketUploadParams = shape(() => z.object({ ticket: ticket(), uploadId: uploadId() }));
export const ticketPartParams = shape(() =>
  z.object({ ticket: ticket(), uploadId: uploadId(), partNumber: z.coerce.number().int().min(1).max(10_000) }),
);
export const keyQuery = shape(() => z.object({ key: z.string().max(1_024) }));
export const batchQuery = shape(() =>
  keyQuery().extend({
    partNumbers: z
      .string()
      .regex(/^\d{1,5}(,\d{1,5}){0,99}$/, "1 to 100 numbers with commas")
      .meta({ example: "1,2,3" }),
  }),
);

/** Uppy 6 sends metadata of any JSON type, Uppy 5 text, some clients none. */
export const beginBody = shape(() =>
  z
    .object({
      filename: z.string().min(1).max(1_024).meta({ example: "interview.wav" }),
      type: z.string().max(200).nullish().meta({ example: "audio/wav" }),
      metadata: z
        .record(z.string().max(200), z.unknown())
        .nullish()
        .meta({ description: "`size` is taken as the file's size in bytes; the rest is not kept." }),
    })
    .meta({ id: "CompanionMultipart" }),
);

export const begunShape = shape(() => z.object({ key: z.string(), uploadId: z.string(), bucket: z.string() }));
export const signedPartShape = shape(() =>
  z.object({
    url: z.string(),
    expires: z.number().int().meta({ description: "Seconds." }),
    method: z.literal("PUT"),
    headers: z.record(z.string(), z.string()),
  }),
);
export const batchShape = shape(() => z.object({ presignedUrls: z.record(z.string(), z.string()) }));
export const partListShape = shape(() =>
  z.array(z.object({ PartNumber: z.number().int(), ETag: z.string(), Size: z.number().int() })),
);

export const finishBody = shape(() =>
  z
    .object({
      parts: z
        .array(
          z.object({
            PartNumber: z.number().int().min(1).max(10_000),
            ETag: etag(),
          }),
        )
        .min(1)
        .max(10_000),
    })
    .meta({ id: "CompanionComplete" }),
);

export const finishedShape = shape(() =>
  z.object({ location: z.string(), key: z.string(), bucket: z.string(), fileId: z.string() }),
);
export const nothingShape = shape(() => z.object({}));

/** Metadata comes as `metadata[name]`; all but the size is passed over. */
export const paramsQuery = shape(() =>
  z.object({
    filename: z.string().min(1).max(1_024).meta({ example: "interview.wav" }),
    type: z.string().max(200).optional().meta({ example: "audio/wav" }),
    "metadata[size]": z.string().max(20).optional(),
  }),
);
export const formParamsShape = shape(() =>
  z.object({
    method: z.literal("POST"),
    url: z.string(),
    fields: z.record(z.string(), z.string()).meta({ description: "Post them before the file." }),
    expires: z.number().int().meta({ description: "Seconds." }),
  }),
);
export const formBody = shape(() =>
  z.object({ key: z.string(), "content-type": z.string(), file: z.string().meta({ format: "binary" }) }),
);

export type TicketRequest = Output<typeof ticketBody>;
export type BeginRequest = Output<typeof beginBody>;
export type FinishRequest = Output<typeof finishBody>;
