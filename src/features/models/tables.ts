/** What superadmins know better than the built-in catalogue: providers, models, prices. And how providers did by day. Times are milliseconds. */
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { Capability, Dialect } from "#adapters/llm/contract";
import type { Route } from "./rules.ts";

export const modelProviders = sqliteTable("model_providers", {
  name: text("name").primaryKey(),
  enabled: integer("enabled", { mode: "boolean" }).notNull(),
  displayName: text("display_name"),
  dialect: text("dialect").$type<Dialect>(),
  baseUrl: text("base_url"),
  /** The provider's key in an envelope; null: the one of the environment, if any. */
  wrappedSecret: text("wrapped_secret"),
  masterVersion: integer("master_version"),
  /** First characters of the key. */
  preview: text("preview"),
  updatedBy: text("updated_by").notNull(),
  createdAt: integer("created_at").notNull(),
  updatedAt: integer("updated_at").notNull(),
});

export type ModelProviderRow = typeof modelProviders.$inferSelect;

export const modelOverrides = sqliteTable("model_overrides", {
  /** The id that callers name; `*` in it stands for any run of characters. */
  id: text("id").primaryKey(),
  enabled: integer("enabled", { mode: "boolean" }).notNull(),
  displayName: text("display_name"),
  contextTokens: integer("context_tokens"),
  maxOutputTokens: integer("max_output_tokens"),
  capabilities: text("capabilities", { mode: "json" }).$type<Capability[]>(),
  /** The first one whose condition holds; none: as without an override. */
  routes: text("routes", { mode: "json" }).$type<Route[]>().notNull(),
  /** Ids of models that are tried after all places of this one. */
  fallbacks: text("fallbacks", { mode: "json" }).$type<string[]>().notNull(),
  /** `user`, or `metadata:<member>`: the same value is sent to the same place. */
  stickBy: text("stick_by"),
  updatedBy: text("updated_by").notNull(),
  createdAt: integer("created_at").notNull(),
  updatedAt: integer("updated_at").notNull(),
});

export type ModelOverrideRow = typeof modelOverrides.$inferSelect;

/** Rows are added; one changes only until its time has come. */
export const modelPrices = sqliteTable(
  "model_prices",
  {
    id: text("id").primaryKey(),
    provider: text("provider").notNull(),
    /** The model's name at the provider. */
    model: text("model").notNull(),
    inputMicroUsdPerMillion: integer("input_micro_usd_per_million").notNull(),
    cachedInputMicroUsdPerMillion: integer("cached_input_micro_usd_per_million").notNull(),
    outputMicroUsdPerMillion: integer("output_micro_usd_per_million").notNull(),
    effectiveAt: integer("effective_at").notNull(),
    createdBy: text("created_by").notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [uniqueIndex("model_prices_by_time").on(table.provider, table.model, table.effectiveAt)],
);

export type ModelPriceRow = typeof modelPrices.$inferSelect;

/** Calls of the operator's providers, added up by isolates. */
export const modelProviderDays = sqliteTable(
  "model_provider_days",
  {
    provider: text("provider").notNull(),
    day: text("day").notNull(),
    calls: integer("calls").notNull(),
    failures: integer("failures").notNull(),
    durationMs: integer("duration_ms").notNull(),
    lastSuccessAt: integer("last_success_at"),
    lastFailureAt: integer("last_failure_at"),
  },
  (table) => [primaryKey({ columns: [table.provider, table.day] }), index("model_provider_days_by_day").on(table.day)],
);

export type ProviderDayRow = typeof modelProviderDays.$inferSelect;
