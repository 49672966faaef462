/** What clients send and get about conversions. Older clients call these operations, so unknown members are ignored. */
import * as z from "zod";
import { type Output, shape } from "#core/shape";
import { legacyBody } from "#core/legacy-body";
import { pageQuery } from "#core/page";
import { Problem } from "#core/problem";
import { jobStates, legacyStates } from "#core/states";
import { jobShape } from "#features/jobs/shapes";

export const conversionTypes = ["audio-to-image", "image-to-audio"] as const;
/** So many images at once, in files or in ZIPs. */
export const maxImages = 1_000;

const truths = new Map<unknown, boolean>([
  [true, true],
  [1, true],
  ["true", true],
  ["1", true],
  [false, false],
  [0, false],
  ["false", false],
  ["0", false],
]);

/** A form can only say `"false"`, and scripts say `"False"`: what a form calls false must never be read as true. */
const looseBoolean = shape(() =>
  z.preprocess((value) => truths.get(typeof value === "string" ? value.toLowerCase() : value) ?? value, z.boolean()),
);

/** Forms of older clients send empty fields for what was not filled in. */
function optional<Inner extends z.ZodType>(inner: Inner) {
  return z.preprocess((value) => (value === "" || value === null ? undefined : value), inner.optional());
}

const id = shape(() => z.string().min(1).max(64));
const masterKeyHex = shape(() =>
  z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, "64 hexadecimal characters")
    .meta({ description: "A version 1 master key for this request only: never stored in clear, never logged." }),
);
const userName = shape(() => z.string().min(1).max(255));

/** What EchoCipher's other interface called them. */
const otherNames: Readonly<Record<string, string>> = {
  file_id: "fileId",
  file_ids: "fileIds",
  conversion_id: "conversionId",
  user_id: "userId",
  master_key: "masterKeyHex",
  max_chunk_bytes: "maxChunkBytes",
  delete_source: "deleteSource",
  output_filename: "outputFileName",
  output_file_name: "outputFileName",
};

/** Takes members under either name. Throws `validation-failed` when both are there and differ: which one is meant would be a guess. */
function eitherName<Shape extends z.ZodType>(shape: Shape) {
  return z.preprocess((value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const members: Record<string, unknown> = { ...value };
    for (const [other, name] of Object.entries(otherNames)) {
      if (!(other in members)) continue;
      const isSame = JSON.stringify(members[name] ?? members[other]) === JSON.stringify(members[other]);
      if (!isSame) throw new Problem("validation-failed", { detail: `${other} and ${name} differ.` });
      members[name] = members[other];
      delete members[other];
    }
    return members;
  }, shape);
}

const sealingMembers = () => ({
  format: optional(z.coerce.number().pipe(z.union([z.literal(1), z.literal(2)]))).meta({
    description: "Version of the sealed images: 2, or 1 when masterKeyHex is given without a format.",
  }),
  compress: optional(looseBoolean()).meta({ description: "Compress what gets shorter by it; true if left out." }),
  deleteSource: optional(looseBoolean()).meta({ description: "Delete the audio file once it is sealed." }),
  encryptionKeyId: optional(id()).meta({ description: "The key to seal with; your active key if left out." }),
  masterKeyHex: optional(masterKeyHex()),
  userId: optional(userName()).meta({
    description: "Format 1: the name that the key is derived for. Else your own id.",
  }),
  maxChunkBytes: optional(z.coerce.number().int().min(1).max(1_099_511_627_776)).meta({
    description: "Format 1: at most so many bytes an image; never more than 8 MiB.",
  }),
});

/** Of a JSON body and of the fields of a form alike. */
export const sealingBody = shape(() =>
  eitherName(legacyBody({ fileId: optional(id()), ...sealingMembers() })).meta({
    id: "AudioToImage",
  }),
);
export type SealingBody = Output<typeof sealingBody>;

const openingMembers = () => ({
  outputFileName: optional(z.string().min(1).max(1_000)).meta({
    description: "The name of the opened file; the original one if left out.",
  }),
  masterKeyHex: optional(masterKeyHex()),
  userId: optional(userName()),
  imageDirPath: optional(z.string()).meta({
    description: "Answered with use-conversion-id: no folder of the server is read.",
  }),
});

export const openingBody = shape(() =>
  eitherName(
    legacyBody({
      conversionId: optional(id()),
      fileIds: optional(z.array(id()).min(1).max(maxImages)).meta({
        description: "Uploaded PNG files in any order, or ZIPs of them.",
      }),
      ...openingMembers(),
    }),
  ).meta({ id: "ImageToAudio" }),
);
export type OpeningBody = Output<typeof openingBody>;

const formFile = shape(() => z.string().meta({ format: "binary" }));
export const sealingForm = shape(() =>
  z
    .object({
      audioFile: formFile().meta({ description: "At most 95 MiB; `audio` and `file` are accepted names too." }),
      ...sealingMembers(),
    })
    .meta({ id: "AudioToImageForm" }),
);
export const openingForm = shape(() =>
  z
    .object({
      images: z.array(formFile()).meta({ description: "PNG files or a ZIP of them, at most 95 MiB in all." }),
      ...openingMembers(),
    })
    .meta({ id: "ImageToAudioForm" }),
);

const imageShape = shape(() =>
  z
    .object({
      index: z.number().int(),
      fileName: z.string(),
      sizeBytes: z.number().int(),
      width: z.number().int(),
      height: z.number().int(),
      sha256: z.string(),
      url: z.string(),
    })
    .meta({ id: "ConversionImage" }),
);

export const conversionShape = shape(() =>
  z
    .object({
      id: z.string(),
      conversionId: z.string(),
      userId: z.string(),
      conversionType: z.enum(conversionTypes),
      status: z.enum(legacyStates),
      state: z.enum(jobStates),
      jobId: z.string(),
      format: z.number().int().nullable().meta({ description: "null: not known before the first image was read." }),
      inputFileId: z.string().nullable(),
      inputFileName: z.string(),
      inputFileSize: z.number().int().nullable(),
      compress: z.boolean(),
      deleteSource: z.boolean(),
      imageCount: z.number().int().nullable(),
      totalImageBytes: z.number().int().nullable(),
      outputFileId: z.string().nullable().meta({ description: "The opened file, once it is there." }),
      outputFileName: z.string().nullable(),
      encryptionKeyId: z.string().nullable(),
      sha256: z.string().nullable().meta({ description: "Of the audio file." }),
      durationMs: z.number().int().nullable(),
      problem: z.object({ code: z.string(), detail: z.string() }).loose().nullable(),
      createdAt: z.string(),
      startedAt: z.string().nullable(),
      endedAt: z.string().nullable(),
      links: z.object({ self: z.string(), job: z.string(), zip: z.string().nullable() }),
      images: z.array(imageShape()).optional().meta({ description: "Of one conversion only; left out in lists." }),
    })
    .meta({ id: "Conversion" }),
);
export type ConversionShape = Output<typeof conversionShape>;
export type ImageShape = Output<typeof imageShape>;

export const conversionAnswer = shape(() =>
  z
    .object({
      success: z.literal(true),
      message: z.string(),
      conversionId: z.string(),
      jobId: z.string(),
      status: z.enum(legacyStates),
      conversion: conversionShape(),
      job: jobShape(),
    })
    .meta({ id: "ConversionStarted" }),
);
export type ConversionAnswer = Output<typeof conversionAnswer>;

export const conversionParams = shape(() =>
  z.object({
    id: z.string().max(64).meta({ example: "conv_01kahs7m3n0000000000000000" }),
  }),
);
export const imageParams = shape(() =>
  conversionParams().extend({
    index: z
      .string()
      .min(1)
      .max(300)
      .meta({ description: "The index, from 0, or the file name of the image.", example: "0" }),
  }),
);

/** Older clients name the person, who can only be the one who asks. */
export const selfQuery = shape(() => z.object({ userId: z.string().max(255).optional() }));

export const conversionListQuery = shape(() =>
  pageQuery().extend({
    skip: z.coerce
      .number()
      .int()
      .min(0)
      .max(100_000)
      .default(0)
      .meta({ description: "Rows to leave out first, for clients without cursors." }),
    status: z.enum(legacyStates).optional(),
    conversionType: z.enum(conversionTypes).optional(),
    userId: z.string().max(255).optional().meta({ description: "Only your own id: older clients send it." }),
  }),
);
export type ConversionListQuery = Output<typeof conversionListQuery>;

export const conversionPage = shape(() =>
  z
    .object({ items: z.array(conversionShape()), nextCursor: z.string().nullable(), total: z.number().int() })
    .meta({ id: "ConversionPage" }),
);

export const statsParams = shape(() =>
  z.object({ userId: z.string().max(64).meta({ description: "Your own id, or `me`." }) }),
);
export const statsShape = shape(() =>
  z
    .object({
      userId: z.string(),
      totalConversions: z.number().int(),
      completedConversions: z.number().int(),
      failedConversions: z.number().int(),
      audioToImageCount: z.number().int(),
      imageToAudioCount: z.number().int(),
      totalDataProcessed: z.number().int().meta({ description: "Bytes that completed conversions read." }),
      averageConversionTime: z.number().int().meta({ description: "Milliseconds, over completed conversions." }),
      successRate: z
        .number()
        .min(0)
        .max(1)
        .nullable()
        .meta({ description: "Completed of all that ended; null: none has ended." }),
    })
    .meta({ id: "ConversionStatistics" }),
);
export type StatsShape = Output<typeof statsShape>;
