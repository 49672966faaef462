/** What a workspace lets its members ask models and hear from them. */
import { defineFeature } from "#core/feature";
import { routes } from "./routes.ts";

export default defineFeature({
  name: "guardrails",
  summary: "What a workspace lets its members ask models and hear from them.",
  endpoints: routes,
});
