/** What clients send and see of encryption keys. Key material goes in once, by an import, and never comes out. */
import { z } from "@hono/zod-openapi";
import { pageOf, pageQuery } from "#core/page";

export const keyParams = z.object({
  id: z.string().max(64).openapi({ example: "ekey_01kahs7m3n0000000000000000", description: "The key's id, or `active`: your own active user key." }),
});

export const keyOwnerQuery = z.object({
  userId: z.string().max(64).optional().openapi({ description: "Your own id or `me`: other people's keys are not reached this way." }),
});

export const keyListQuery = pageQuery.extend({
  keyType: z.enum(["user", "master", "session"]).optional(),
  userId: z.string().max(64).optional().openapi({ description: "Your own id or `me`: only your own keys." }),
});

export const keyShape = z
  .object({
    id: z.string(),
    keyType: z.enum(["user", "master", "session"]),
    format: z.union([z.literal(1), z.literal(2)]),
    version: z.number().int(),
    state: z.enum(["active", "retired", "deactivated"]).openapi({ description: "Retired keys open only; deactivated ones refuse everything." }),
    fingerprint: z.string().openapi({ description: "Names the key within its workspace; tells nothing of it." }),
    description: z.string().nullable(),
    externalUserId: z.string().nullable().openapi({ description: "Format 1: the user id that the key was used with." }),
    createdAt: z.string(),
    rotatedAt: z.string().nullable(),
    deactivatedAt: z.string().nullable(),
    expiresAt: z.string().nullable().openapi({ description: "Of a session key: when its session ends unless it is renewed." }),
  })
  .openapi("EncryptionKey");

export const keyPage = pageOf(keyShape, "EncryptionKeyPage");

const description = z.string().trim().min(1).max(200).optional();
const ownId = z.string().max(64).optional().openapi({ description: "Your own id or `me`; keys are not made for others." });

export const newKeyShape = z
  .discriminatedUnion("keyType", [
    z.strictObject({ keyType: z.literal("user"), format: z.literal(2).optional(), userId: ownId, description }),
    z.strictObject({ keyType: z.literal("session"), format: z.literal(2).optional(), userId: ownId, description }),
    z.strictObject({
      keyType: z.literal("master"),
      format: z.literal(1),
      keyHex: z.string().max(200).openapi({ description: "64 hexadecimal characters; stored wrapped and never shown." }),
      userId: z.string().max(300).openapi({ description: "The EchoCipher user id that the key was used with, case-sensitive." }),
      description,
    }),
  ])
  .openapi("NewEncryptionKey");

export const rotationShape = z
  .object({ key: keyShape, previous: keyShape, jobId: z.string().openapi({ description: "The job that moves data keys to the new key." }) })
  .openapi("EncryptionKeyRotation");

export type KeyShape = z.output<typeof keyShape>;
export type NewKey = z.output<typeof newKeyShape>;
