/** Workspaces, their members and who is invited. */
import { defineFeature } from "#core/feature";
import { purgeWorkspaceJob } from "./jobs/purge-workspace.ts";
import { routes } from "./routes.ts";
import { schedules } from "./schedules.ts";

export default defineFeature({
  name: "workspaces",
  summary: "Workspaces, members and invitations.",
  endpoints: routes,
  jobs: [purgeWorkspaceJob],
  schedules,
});
