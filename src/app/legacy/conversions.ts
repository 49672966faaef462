/** Paths of sealing and opening in system A. */
import type { Alias } from "../legacy-paths.ts";

/** The older clients waited for the conversion in one call. */
const wait = { prefer: "wait=30" };

export const conversions: Alias[] = [
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
