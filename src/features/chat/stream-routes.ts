/** /v1/streams: the way back to a stream whose connection broke. */
import * as z from "zod";
import { rawEndpoint } from "#core/endpoint";
import { shape } from "#core/shape";
import { resumeStream } from "./resume.ts";

const params = shape(() =>
  z.object({
    id: z
      .string()
      .min(1)
      .max(100)
      .meta({ description: "X-Overtone-Stream-Id of the answer.", example: "stream_4f9KzQ0aYbT2mXcWvR7LpD" }),
  }),
);

const query = shape(() =>
  z.object({
    after: z
      .string()
      .max(20)
      .optional()
      .meta({ description: "Like the header Last-Event-ID, where that cannot be sent.", example: "12" }),
  }),
);

export const streamRoutes = [
  rawEndpoint({
    name: "resumeStream",
    method: "get",
    path: "/v1/streams/{id}",
    summary: "Read on in a stream whose connection broke",
    description:
      "For streams that were asked for with `X-Overtone-Resumable: true`. Answers all events behind `Last-Event-ID` (without it, all), then those that come, until the end; several can read at once, and it costs nothing. Kept for five minutes after the end, up to one mebibyte. After a disconnect the provider is read for up to 25 seconds more: a stream that has not ended by then ends in an `error` event.",
    access: "models:use",
    uncounted: true,
    errors: "openai",
    params,
    query,
    problems: ["stream-not-found", "stream-too-long"],
    produces: { "text/event-stream": "the events, each with its `id`" },
    handle: (ctx, { params: { id }, query: { after }, request }) => resumeStream(ctx, id, { request, after }),
  }),
];
