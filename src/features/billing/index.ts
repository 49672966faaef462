/** Plans and what workspaces pay for them. The payment company has the truth about money; here is a copy that is read anew. */
import { defineFeature } from "#core/feature";
import { endSubscriptionJob } from "./jobs/end-subscription.ts";
import { readSubscriptionJob } from "./jobs/read-subscription.ts";
import { routes } from "./routes.ts";
import { schedules } from "./schedules.ts";

export default defineFeature({
  name: "billing",
  summary: "Plans, subscriptions and payments.",
  endpoints: routes,
  jobs: [readSubscriptionJob, endSubscriptionJob],
  schedules,
});
