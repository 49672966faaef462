/** People: registration, sign-in, sessions and profile. */
import { defineFeature } from "#core/feature";
import { profileRoutes } from "./routes/profile.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { schedules } from "./schedules.ts";

export default defineFeature({
  name: "accounts",
  summary: "Registration, sign-in, sessions and profile.",
  endpoints: [...signInRoutes, ...sessionRoutes, ...profileRoutes],
  schedules,
});
