/** AI tokens in system C's words: what is left, what was used, and reservations for work that is done elsewhere. */
import { defineFeature } from "#core/feature";
import { routes } from "./routes.ts";

export default defineFeature({
  name: "tokens",
  summary: "AI tokens: balance, limits, what was used, and reservations for work that is done elsewhere.",
  endpoints: routes,
});
