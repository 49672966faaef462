import { defineConfig } from "drizzle-kit";

/** Tables stand in their features; the generated SQL is read by a person before it is committed. */
export default defineConfig({
  dialect: "sqlite",
  schema: ["src/core/tables.ts", "src/features/*/tables.ts", "src/sandbox/*/tables.ts"],
  out: "migrations/drizzle",
});
