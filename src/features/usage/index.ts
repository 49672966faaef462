/** Usage, quotas, credits and reports. */
import { defineFeature } from "#core/feature";
import { makeReportJob } from "./jobs/make-report.ts";
import { measureStorageJob } from "./jobs/measure-storage.ts";
import { routes } from "./routes.ts";
import { schedules } from "./schedules.ts";

export default defineFeature({
  name: "usage",
  summary: "What a workspace used and may still use: quotas, credits, history, reports.",
  endpoints: routes,
  jobs: [makeReportJob, measureStorageJob],
  schedules,
});
