/** People: registration, sign-in, sessions and profile. */
import { defineFeature } from "#core/feature";
import { routes } from "./routes.ts";

export default defineFeature({
  name: "accounts",
  summary: "Registration, sign-in, sessions and profile.",
  endpoints: routes,
});
