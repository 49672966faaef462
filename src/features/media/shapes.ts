/** What clients send and see of uploads and files. */
import * as z from "zod";
import { pageOf, pageQuery } from "#core/page";
import { maxEtagLength } from "./rules.ts";
import { clientStrategies, fileKinds, fileOrigins, uploadStatuses } from "./states.ts";

const partNumber = z.number().int().min(1).max(10_000);
const etag = z
  .string()
  .min(1)
  .max(maxEtagLength)
  .regex(/^[\x21-\x7e]+$/, "printable ASCII")
  .meta({ description: "As storage answered the PUT; with or without quotes." });
const sizeBytes = z.number().int().min(0);
const fileName = z.string().min(1).max(1_024);

export const uploadParams = z.object({ id: z.string().max(64).meta({ example: "upl_01kahs7m3n0000000000000000" }) });
export const fileParams = z.object({ id: z.string().max(64).meta({ example: "file_01kahs7m3n0000000000000000" }) });

export const uploadListQuery = pageQuery.extend({ status: z.enum(uploadStatuses).optional() });
export const fileListQuery = pageQuery.extend({
  kind: z.enum(fileKinds).optional(),
  origin: z.enum(fileOrigins).optional(),
});

export const createUploadBody = z
  .strictObject({
    fileName: fileName.meta({ example: "interview.wav" }),
    contentType: z.string().min(1).max(200).meta({ example: "audio/wav" }),
    sizeBytes: sizeBytes.meta({
      description: "1 to 524,288,000; storage accepts exactly this size.",
      example: 31_457_280,
    }),
    sha256: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/, "64 hexadecimal characters")
      .optional()
      .meta({ description: "Compared with the bytes that arrived." }),
  })
  .meta({ id: "CreateUpload" });

const partShape = z.object({ partNumber, sizeBytes, etag: z.string() });
const urlShape = z
  .object({
    partNumber,
    url: z.string(),
    headers: z.record(z.string(), z.string()).meta({ description: "Send exactly these: they are signed." }),
    expiresAt: z.string(),
  })
  .meta({ id: "PartUrl" });

export const uploadShape = z
  .object({
    id: z.string(),
    status: z.enum(uploadStatuses),
    fileName: z.string(),
    contentType: z.string(),
    sizeBytes,
    sha256: z.string().nullable().meta({ description: "The declared one, in lower-case hex." }),
    strategy: z.enum(clientStrategies),
    partSizeBytes: z.number().int(),
    partCount: z.number().int(),
    parts: z.array(partShape).meta({ description: "What was reported as uploaded." }),
    urls: z.array(urlShape).meta({ description: "PUT URLs: the first 20 when the upload is created, none elsewhere." }),
    fileId: z.string().nullable(),
    problem: z.object({ code: z.string(), detail: z.string() }).nullable(),
    createdAt: z.string(),
    expiresAt: z.string(),
  })
  .meta({ id: "Upload" });

export const uploadPage = pageOf(uploadShape, "UploadPage");

export const uploadPartsBody = z
  .strictObject({
    partNumbers: z.array(partNumber).max(100).optional().meta({ description: "Parts to make URLs for." }),
    uploaded: z
      .array(z.strictObject({ partNumber, etag, sizeBytes }))
      .max(100)
      .optional()
      .meta({ description: "Parts that are in storage, kept for a resume." }),
  })
  .meta({ id: "UploadPartsRequest" });

export const uploadPartsAnswer = z
  .object({ urls: z.array(urlShape), parts: z.array(partShape) })
  .meta({ id: "UploadParts" });

export const completeUploadBody = z
  .strictObject({
    parts: z
      .array(z.strictObject({ partNumber, etag }))
      .max(10_000)
      .optional()
      .meta({ description: "Parts that were not reported before." }),
  })
  .meta({ id: "CompleteUpload" });

export const fileShape = z
  .object({
    id: z.string(),
    name: z.string(),
    contentType: z.string(),
    kind: z.enum(fileKinds),
    sizeBytes,
    sha256: z.string().meta({ description: "Of the stored bytes, in lower-case hex." }),
    origin: z.enum(fileOrigins),
    createdAt: z.string(),
    updatedAt: z.string(),
    links: z.object({ self: z.string(), content: z.string() }),
  })
  .meta({ id: "File" });

export const filePage = pageOf(fileShape, "FilePage");
export const completedUpload = z.object({ upload: uploadShape, file: fileShape }).meta({ id: "CompletedUpload" });
export const renameFileBody = z.strictObject({ name: fileName }).meta({ id: "RenameFile" });
export const deleteFileQuery = z.object({
  force: z
    .enum(["true", "false"])
    .default("false")
    .meta({ description: "Delete a file although something that runs reads it." }),
});
export const contentQuery = z.object({ disposition: z.enum(["attachment", "inline"]).default("attachment") });

export type UploadShape = z.output<typeof uploadShape>;
export type PartUrl = z.output<typeof urlShape>;
export type PartShape = z.output<typeof partShape>;
export type FileShape = z.output<typeof fileShape>;
export type CreateUpload = z.output<typeof createUploadBody>;
export type UploadPartsRequest = z.output<typeof uploadPartsBody>;
