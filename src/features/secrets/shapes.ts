/** What clients send and see of encryption keys. Key material goes in once, by an import, and never comes out. */
import * as z from "zod";
import { type Output, shape } from "#core/shape";
import { pageOf, pageQuery } from "#core/page";

export const keyParams = shape(() =>
  z.object({
    id: z.string().max(64).meta({
      example: "ekey_01kahs7m3n0000000000000000",
      description: "The key's id, or `active`: your own active user key.",
    }),
  }),
);

export const keyOwnerQuery = shape(() =>
  z.object({
    userId: z
      .string()
      .max(64)
      .optional()
      .meta({ description: "Your own id or `me`: other people's keys are not reached this way." }),
  }),
);

export const keyListQuery = shape(() =>
  pageQuery().extend({
    keyType: z.enum(["user", "master", "session"]).optional(),
    userId: z.string().max(64).optional().meta({ description: "Your own id or `me`: only your own keys." }),
  }),
);

export const keyShape = shape(() =>
  z
    .object({
      id: z.string(),
      keyType: z.enum(["user", "master", "session"]),
      format: z.union([z.literal(1), z.literal(2)]),
      version: z.number().int(),
      state: z
        .enum(["active", "retired", "deactivated"])
        .meta({ description: "Retired keys open only; deactivated ones refuse everything." }),
      fingerprint: z.string().meta({ description: "Names the key within its workspace; tells nothing of it." }),
      description: z.string().nullable(),
      externalUserId: z.string().nullable().meta({ description: "Format 1: the user id that the key was used with." }),
      createdAt: z.string(),
      rotatedAt: z.string().nullable(),
      deactivatedAt: z.string().nullable(),
      expiresAt: z
        .string()
        .nullable()
        .meta({ description: "Of a session key: when its session ends unless it is renewed." }),
    })
    .meta({ id: "EncryptionKey" }),
);

export const keyPage = pageOf(keyShape, "EncryptionKeyPage");

const description = shape(() => z.string().trim().min(1).max(200).optional());
const ownId = shape(() =>
  z.string().max(64).optional().meta({ description: "Your own id or `me`; keys are not made for others." }),
);

export const newKeyShape = shape(() =>
  z
    .discriminatedUnion("keyType", [
      z.strictObject({
        keyType: z.literal("user"),
        format: z.literal(2).optional(),
        userId: ownId(),
        description: description(),
      }),
      z.strictObject({
        keyType: z.literal("session"),
        format: z.literal(2).optional(),
        userId: ownId(),
        description: description(),
      }),
      z.strictObject({
        keyType: z.literal("master"),
        format: z.literal(1),
        keyHex: z.string().max(200).meta({ description: "64 hexadecimal characters; stored wrapped and never shown." }),
        userId: z
          .string()
          .max(300)
          .meta({ description: "The EchoCipher user id that the key was used with, case-sensitive." }),
        description: description(),
      }),
    ])
    .meta({ id: "NewEncryptionKey" }),
);

export const deactivationQuery = shape(() => z.object({ force: z.enum(["true", "false"]).default("false") }));

export const rotationShape = shape(() =>
  z
    .object({
      key: keyShape(),
      previous: keyShape(),
      jobId: z.string().meta({ description: "The job that moves data keys to the new key." }),
    })
    .meta({ id: "EncryptionKeyRotation" }),
);

export type KeyShape = Output<typeof keyShape>;
export type NewKey = Output<typeof newKeyShape>;
