/** Uploads straight to storage, and the verified files that come of them. */
import { defineFeature } from "#core/feature";
import { purgeFileJob } from "./jobs/purge-file.ts";
import { reconcileStorageJob } from "./jobs/reconcile-storage.ts";
import { releaseStorageJob } from "./jobs/release-storage.ts";
import { sweepUploadsJob } from "./jobs/sweep-uploads.ts";
import { fileRoutes } from "./routes/files.ts";
import { uploadRoutes } from "./routes/uploads.ts";
import { schedules } from "./schedules.ts";

export default defineFeature({
  name: "media",
  summary: "Uploads and files.",
  endpoints: [...uploadRoutes, ...fileRoutes],
  jobs: [releaseStorageJob, purgeFileJob, sweepUploadsJob, reconcileStorageJob],
  schedules,
});
