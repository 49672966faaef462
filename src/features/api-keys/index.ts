/** Credentials of programs: scoped, shown once, refused without a read when forged. */
import { defineFeature } from "#core/feature";
import { routes } from "./routes.ts";

export default defineFeature({ name: "api-keys", summary: "Credentials of programs.", endpoints: routes });
