/** Ways to sign in beside the password. */
import { defineFeature } from "#core/feature";
import { routes } from "./routes.ts";

export default defineFeature({
  name: "sign-in-methods",
  summary: "Providers, devices, authenticator apps and passkeys.",
  endpoints: routes,
});
