/** The log of model requests: who asked what when, what it came to and, where that is switched on, what was said. */
import { defineFeature } from "#core/feature";
import { defineSchedule } from "#core/schedule";
import { routes } from "./routes.ts";
import { purgeOld } from "./service.ts";

export default defineFeature({
  name: "message-logs",
  summary: "The log of model requests: metadata, and contents where they are switched on.",
  endpoints: routes,
  schedules: [defineSchedule({ name: "message-logs.purge", every: "day", run: purgeOld })],
});
