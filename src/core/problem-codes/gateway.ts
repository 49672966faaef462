/** Codes of the model gateway. */
import type { ProblemKind } from "../problem-kind.ts";

export const gatewayProblems = {
  "model-unavailable": {
    status: 502,
    title: "No provider of the model answered",
    suggestion:
      "Every provider of the model was asked, more than once where that could help. Try again later or name another model.",
  },
  "model-timeout": {
    status: 504,
    title: "The model did not answer in time",
    suggestion: "Ask for a shorter answer or for a stream, or try again later.",
  },
  "model-stream-broken": {
    status: 502,
    title: "The model's stream broke off",
    suggestion: "What was read so far is an incomplete answer. Ask again; what was delivered is charged.",
  },
  "stream-not-found": {
    status: 404,
    title: "No such stream",
    suggestion:
      "Streams are kept for five minutes after their end, where X-Overtone-Resumable asked for it. Ask again.",
  },
  "stream-too-long": {
    status: 410,
    title: "The stream is too long to be read again",
    suggestion: "Streams are kept up to one mebibyte. Read it to the end on its first connection, or ask for less.",
  },
  "model-rate-limited": {
    status: 429,
    title: "The model's provider is asked too often",
    suggestion: "Wait as long as Retry-After says, or use a key of your own for this provider.",
  },
  "model-request-refused": {
    status: 400,
    title: "The model's provider refuses the request",
    suggestion: "The detail says what the provider objects to; correct the request.",
  },
} as const satisfies Record<string, ProblemKind>;
