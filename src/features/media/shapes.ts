/** What clients send and see of uploads and files. */
import * as z from "zod";
import { type Output, shape } from "#core/shape";
import { pageOf, pageQuery } from "#core/page";
import { maxEtagLength } from "./rules.ts";
import { clientStrategies, fileKinds, fileOrigins, uploadStatuses } from "./states.ts";

const partNumber = shape(() => z.number().int().min(1).max(10_000));
export const etag = shape(() =>
  z
    .string()
    .min(1)
    .max(maxEtagLength)
    .regex(/^[\x21-\x7e]+$/, "printable ASCII")
    .meta({ description: "As storage answered the PUT; with or without quotes." }),
);
const sizeBytes = shape(() => z.number().int().min(0));
const fileName = shape(() => z.string().min(1).max(1_024));

export const uploadParams = shape(() =>
  z.object({ id: z.string().max(64).meta({ example: "upl_01kahs7m3n0000000000000000" }) }),
);
export const fileParams = shape(() =>
  z.object({ id: z.string().max(64).meta({ example: "file_01kahs7m3n0000000000000000" }) }),
);

export const uploadListQuery = shape(() => pageQuery().extend({ status: z.enum(uploadStatuses).optional() }));
export const fileListQuery = shape(() =>
  pageQuery().extend({
    kind: z.enum(fileKinds).optional(),
    origin: z.enum(fileOrigins).optional(),
  }),
);

export const createUploadBody = shape(() =>
  z
    .strictObject({
      fileName: fileName().meta({ example: "interview.wav" }),
      contentType: z.string().min(1).max(200).meta({ example: "audio/wav" }),
      sizeBytes: sizeBytes().meta({
        description: "1 to 524,288,000; storage accepts exactly this size.",
        example: 31_457_280,
      }),
      sha256: z
        .string()
        .regex(/^[0-9a-fA-F]{64}$/, "64 hexadecimal characters")
        .optional()
        .meta({ description: "Compared with the bytes that arrived." }),
    })
    .meta({ id: "CreateUpload" }),
);

const partShape = shape(() => z.object({ partNumber: partNumber(), sizeBytes: sizeBytes(), etag: z.string() }));
const urlShape = shape(() =>
  z
    .object({
      partNumber: partNumber(),
      url: z.string(),
      headers: z.record(z.string(), z.string()).meta({ description: "Send exactly these: they are signed." }),
      expiresAt: z.string(),
    })
    .meta({ id: "PartUrl" }),
);

export const uploadShape = shape(() =>
  z
    .object({
      id: z.string(),
      status: z.enum(uploadStatuses),
      fileName: z.string(),
      contentType: z.string(),
      sizeBytes: sizeBytes().meta({ description: "0 for an unsized upload until it is complete." }),
      sha256: z.string().nullable().meta({ description: "The declared one, in lower-case hex." }),
      strategy: z.enum(clientStrategies),
      partSizeBytes: z.number().int(),
      partCount: z.number().int(),
      parts: z.array(partShape()).meta({ description: "What was reported as uploaded." }),
      urls: z
        .array(urlShape())
        .meta({ description: "PUT URLs: the first 20 when the upload is created, none elsewhere." }),
      fileId: z.string().nullable(),
      problem: z.object({ code: z.string(), detail: z.string() }).nullable(),
      createdAt: z.string(),
      expiresAt: z.string(),
    })
    .meta({ id: "Upload" }),
);

export const uploadPage = pageOf(uploadShape, "UploadPage");

export const uploadPartsBody = shape(() =>
  z
    .strictObject({
      partNumbers: z.array(partNumber()).max(100).optional().meta({ description: "Parts to make URLs for." }),
      uploaded: z
        .array(z.strictObject({ partNumber: partNumber(), etag: etag(), sizeBytes: sizeBytes() }))
        .max(100)
        .optional()
        .meta({ description: "Parts that are in storage, kept for a resume." }),
    })
    .meta({ id: "UploadPartsRequest" }),
);

export const uploadPartsAnswer = shape(() =>
  z.object({ urls: z.array(urlShape()), parts: z.array(partShape()) }).meta({ id: "UploadParts" }),
);

export const completeUploadBody = shape(() =>
  z
    .strictObject({
      parts: z
        .array(z.strictObject({ partNumber: partNumber(), etag: etag() }))
        .max(10_000)
        .optional()
        .meta({ description: "Parts that were not reported before." }),
    })
    .meta({ id: "CompleteUpload" }),
);

export const fileShape = shape(() =>
  z
    .object({
      id: z.string(),
      name: z.string(),
      contentType: z.string(),
      kind: z.enum(fileKinds),
      sizeBytes: sizeBytes(),
      sha256: z.string().meta({ description: "Of the stored bytes, in lower-case hex." }),
      origin: z.enum(fileOrigins),
      createdAt: z.string(),
      updatedAt: z.string(),
      links: z.object({ self: z.string(), content: z.string() }),
    })
    .meta({ id: "File" }),
);

export const filePage = pageOf(fileShape, "FilePage");
export const completedUpload = shape(() =>
  z.object({ upload: uploadShape(), file: fileShape() }).meta({ id: "CompletedUpload" }),
);
export const renameFileBody = shape(() => z.strictObject({ name: fileName() }).meta({ id: "RenameFile" }));
export const deleteFileQuery = shape(() =>
  z.object({
    force: z
      .enum(["true", "false"])
      .default("false")
      .meta({ description: "Delete a file although something that runs reads it." }),
  }),
);
export const contentQuery = shape(() =>
  z.object({ disposition: z.enum(["attachment", "inline"]).default("attachment") }),
);

export type UploadShape = Output<typeof uploadShape>;
export type PartUrl = Output<typeof urlShape>;
export type PartShape = Output<typeof partShape>;
export type FileShape = Output<typeof fileShape>;
export type CreateUpload = Output<typeof createUploadBody>;
export type UploadPartsRequest = Output<typeof uploadPartsBody>;
