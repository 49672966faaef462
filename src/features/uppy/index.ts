/** Uploads by Uppy, unmodified: tickets that carry the permission in a URL, and Companion's routes for S3 over the uploads of `media`. */
import { defineFeature } from "#core/feature";
import { companionRoutes } from "./routes/companion.ts";
import { formRoutes } from "./routes/form.ts";
import { ticketRoutes } from "./routes/tickets.ts";

export default defineFeature({
  name: "uppy",
  summary: "Upload tickets and the routes that Uppy calls with them.",
  endpoints: [...ticketRoutes, ...companionRoutes, ...formRoutes],
});
