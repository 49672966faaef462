/** People: registration, sign-in, sessions and profile. */
import { defineFeature } from "#core/feature";
import { mailCodeJob } from "./jobs/mail-code.ts";
import { codeRoutes } from "./routes/codes.ts";
import { extensionRoutes } from "./routes/extension.ts";
import { profileRoutes } from "./routes/profile.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { userRoutes } from "./routes/users.ts";
import { schedules } from "./schedules.ts";

export default defineFeature({
  name: "accounts",
  summary: "Registration, sign-in, sessions and profile.",
  endpoints: [...signInRoutes, ...codeRoutes, ...sessionRoutes, ...profileRoutes, ...userRoutes, ...extensionRoutes],
  jobs: [mailCodeJob],
  schedules,
});
