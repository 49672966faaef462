/**
 * The paths of the older systems, as data: which published operation answers each, and how body and answer are renamed.
 * First match wins; then `/api/v1/x` is `/v1/x`; then `/api/x` is `/v1/x`. A row never holds logic of its own.
 */
import type { AnswerShape, BodyShape } from "./legacy-shapes.ts";

export interface Alias {
  system: "A" | "D";
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With `:name` for a segment. */
  from: string;
  to: string;
  /** When the target's method differs. */
  toMethod?: string;
  /** Only when the JSON body has this member. */
  when?: string;
  body?: BodyShape;
  answer?: AnswerShape;
  headers?: Record<string, string>;
  /** Answer with what this operation answers once the first one succeeded; `{name}` is a member of the first answer. */
  followUp?: string;
}

/** The older clients waited for the conversion in one call. */
const wait = { prefer: "wait=30" };

const conversions: Alias[] = [
  {
    system: "A",
    method: "POST",
    from: "/api/convert/audio-to-image",
    to: "/v1/convert/audio-to-image",
    headers: wait,
    answer: "converted",
  },
  {
    system: "A",
    method: "POST",
    from: "/api/convert/image-to-audio",
    to: "/v1/convert/image-to-audio",
    headers: wait,
    answer: "converted",
  },
  {
    system: "A",
    method: "POST",
    from: "/api/audio-to-image",
    to: "/v1/convert/audio-to-image",
    headers: wait,
    answer: "converted",
  },
  {
    system: "A",
    method: "POST",
    from: "/api/image-to-audio",
    to: "/v1/convert/image-to-audio",
    headers: wait,
    answer: "converted",
  },
  {
    system: "A",
    method: "POST",
    from: "/api/v2/audio-to-image",
    to: "/v1/convert/audio-to-image",
    headers: wait,
    answer: "convertedV2",
  },
  {
    system: "A",
    method: "POST",
    from: "/api/v2/image-to-audio",
    to: "/v1/convert/image-to-audio",
    headers: wait,
    followUp: "/v1/files/{outputFileId}/content",
  },
  {
    system: "A",
    method: "POST",
    from: "/api/v1/encode",
    to: "/v1/convert/audio-to-image",
    headers: wait,
    followUp: "/v1/conversions/{conversionId}/download-zip",
  },
  {
    system: "A",
    method: "POST",
    from: "/api/v1/decode",
    to: "/v1/convert/image-to-audio",
    headers: wait,
    followUp: "/v1/files/{outputFileId}/content",
  },
  { system: "A", method: "GET", from: "/api/conversions", to: "/v1/conversions", answer: "history" },
  { system: "A", method: "GET", from: "/api/conversions/:id", to: "/v1/conversions/:id", answer: "task" },
  { system: "A", method: "GET", from: "/api/conversions/:id/download-zip", to: "/v1/conversions/:id/download-zip" },
  { system: "A", method: "GET", from: "/api/conversions/:id/:fileName", to: "/v1/conversions/:id/images/:fileName" },
  { system: "A", method: "DELETE", from: "/api/conversions/:id", to: "/v1/conversions/:id", answer: "success" },
  {
    system: "A",
    method: "GET",
    from: "/api/v2/user/:userId/conversions",
    to: "/v1/conversions?userId=:userId&status=completed&conversionType=audio-to-image&limit=100",
    answer: "historyV2",
  },
  {
    system: "A",
    method: "GET",
    from: "/api/v2/conversions/:userId/:id/download-zip",
    to: "/v1/conversions/:id/download-zip?userId=:userId",
  },
  {
    system: "A",
    method: "DELETE",
    from: "/api/v2/conversions/:userId/:id",
    to: "/v1/conversions/:id?userId=:userId",
    answer: "success",
  },
  { system: "A", method: "GET", from: "/api/stats/user/:id", to: "/v1/stats/user/:id", answer: "data" },
  { system: "A", method: "GET", from: "/api/status", to: "/v1/status" },
];

const keys: Alias[] = [
  {
    system: "A",
    method: "POST",
    from: "/api/keys",
    to: "/v1/encryption-keys",
    when: "keyType",
    body: "importedKey",
    answer: "data",
  },
  { system: "A", method: "POST", from: "/api/keys", to: "/v1/api-keys" },
  { system: "A", method: "GET", from: "/api/keys", to: "/v1/api-keys?limit=100", answer: "items" },
  {
    system: "A",
    method: "GET",
    from: "/api/keys/:userId",
    to: "/v1/encryption-keys?userId=:userId&limit=100",
    answer: "keys",
  },
  {
    system: "A",
    method: "POST",
    from: "/api/keys/:userId/rotate",
    to: "/v1/encryption-keys/active/rotate?userId=:userId",
    answer: "data",
  },
  { system: "A", method: "DELETE", from: "/api/keys/:id", to: "/v1/api-keys/:id", answer: "success" },
];

const accounts: Alias[] = [
  {
    system: "A",
    method: "POST",
    from: "/api/auth/register",
    to: "/v1/auth/register",
    body: "opaqueRegister",
    answer: "session",
  },
  {
    system: "A",
    method: "POST",
    from: "/api/auth/login",
    to: "/v1/auth/login",
    body: "opaqueLogin",
    answer: "session",
  },
  { system: "A", method: "POST", from: "/api/auth/google", to: "/v1/auth/google" },
  { system: "A", method: "GET", from: "/api/user/profile", to: "/v1/users/me", answer: "data" },
  { system: "A", method: "PUT", from: "/api/user/profile", to: "/v1/users/me", answer: "data" },
  { system: "A", method: "POST", from: "/api/user/change-password", to: "/v1/auth/change-password", answer: "success" },
  { system: "D", method: "GET", from: "/api/auth/me", to: "/v1/auth/me" },
  { system: "D", method: "POST", from: "/api/auth/logout", to: "/v1/auth/logout", answer: "success" },
  { system: "D", method: "POST", from: "/api/auth/refresh", to: "/v1/auth/refresh", answer: "session" },
  {
    system: "D",
    method: "PUT",
    from: "/api/auth/change-password",
    to: "/v1/auth/change-password",
    toMethod: "POST",
    answer: "success",
  },
  { system: "D", method: "PUT", from: "/api/auth/profile", to: "/v1/users/me", answer: "data" },
];

export const aliases: readonly Alias[] = [...conversions, ...keys, ...accounts];
