/** The model gateway. */
import { defineFeature } from "#core/feature";
import { defineSchedule } from "#core/schedule";
import { purgeExpiredResponses, rewrapResponses } from "./kept-responses.ts";
import { mediaRoutes } from "./media-routes.ts";
import { responseRoutes } from "./response-routes.ts";
import { routes } from "./routes.ts";
import { sweepSpool } from "./spool.ts";
import { streamRoutes } from "./stream-routes.ts";

export default defineFeature({
  name: "chat",
  summary: "Language models through one OpenAI-compatible gateway with exact budgets.",
  endpoints: [...routes, ...responseRoutes, ...mediaRoutes, ...streamRoutes],
  schedules: [
    defineSchedule({ name: "chat.sweep-spool", every: "hour", run: sweepSpool }),
    defineSchedule({ name: "chat.rewrap-responses", every: "hour", run: rewrapResponses }),
    defineSchedule({ name: "chat.purge-responses", every: "day", run: purgeExpiredResponses }),
  ],
});
