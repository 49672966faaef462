/** Administration and support. */
import { defineFeature } from "#core/feature";
import { adminRoutes } from "./routes/admin.ts";
import { peopleRoutes } from "./routes/people.ts";
import { supportRoutes } from "./routes/support.ts";

export default defineFeature({
  name: "staff",
  summary: "Administration and support: figures, people, staff, prompts.",
  endpoints: [...adminRoutes, ...peopleRoutes, ...supportRoutes],
});
