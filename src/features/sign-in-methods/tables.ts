/** Ways to sign in beside the password. Secrets are enveloped, codes are kept as keyed hashes. Times are milliseconds. */
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** One authenticator app a person. Until `activatedAt` is set it is only offered and asked of nobody. */
export const totpFactors = sqliteTable("totp_factors", {
  userId: text("user_id").primaryKey(),
  wrappedSecret: text("wrapped_secret").notNull(),
  masterVersion: integer("master_version").notNull(),
  /** The newest time step whose code was accepted: each is accepted once. */
  lastStep: integer("last_step").notNull(),
  activatedAt: integer("activated_at"),
  createdAt: integer("created_at").notNull(),
});

export type TotpRow = typeof totpFactors.$inferSelect;

export const recoveryCodes = sqliteTable(
  "recovery_codes",
  {
    userId: text("user_id").notNull(),
    hash: text("hash").notNull(),
    createdAt: integer("created_at").notNull(),
    usedAt: integer("used_at"),
  },
  (table) => [primaryKey({ columns: [table.userId, table.hash] })],
);

/** What works once and soon ends: states of a sign-in elsewhere, return codes, challenges. Taken by deleting the row. */
export const oneTimeValues = sqliteTable(
  "one_time_values",
  {
    hash: text("hash").primaryKey(),
    kind: text("kind").notNull(),
    data: text("data", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [index("one_time_values_by_end").on(table.expiresAt)],
);

/** An account elsewhere: issuer and subject name it for ever, the address does not. */
export const signInIdentities = sqliteTable(
  "sign_in_identities",
  {
    id: text("id").primaryKey(),
    userId: text("user_id").notNull(),
    provider: text("provider").notNull(),
    issuer: text("issuer").notNull(),
    subject: text("subject").notNull(),
    email: text("email"),
    displayName: text("display_name"),
    createdAt: integer("created_at").notNull(),
    lastUsedAt: integer("last_used_at"),
  },
  (table) => [
    uniqueIndex("sign_in_identities_by_subject").on(table.issuer, table.subject),
    index("sign_in_identities_by_user").on(table.userId),
  ],
);

export type IdentityRow = typeof signInIdentities.$inferSelect;

/** A device that waits for a person's approval (RFC 8628). The row goes when its tokens are handed out. */
export const deviceGrants = sqliteTable(
  "device_grants",
  {
    deviceCodeHash: text("device_code_hash").primaryKey(),
    userCodeHash: text("user_code_hash").notNull().unique(),
    clientName: text("client_name").notNull(),
    address: text("address").notNull(),
    state: text("state", { enum: ["pending", "approved", "denied"] }).notNull(),
    userId: text("user_id"),
    intervalSeconds: integer("interval_seconds").notNull(),
    polledAt: integer("polled_at"),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [index("device_grants_by_end").on(table.expiresAt)],
);

export type DeviceGrantRow = typeof deviceGrants.$inferSelect;

export const passkeys = sqliteTable(
  "passkeys",
  {
    id: text("id").primaryKey(),
    userId: text("user_id").notNull(),
    /** Base64url, as browsers give it. */
    credentialId: text("credential_id").notNull().unique(),
    publicKey: text("public_key").notNull(),
    counter: integer("counter").notNull(),
    transports: text("transports", { mode: "json" }).$type<string[]>().notNull(),
    name: text("name").notNull(),
    isBackedUp: integer("is_backed_up", { mode: "boolean" }).notNull(),
    createdAt: integer("created_at").notNull(),
    lastUsedAt: integer("last_used_at"),
  },
  (table) => [index("passkeys_by_user").on(table.userId)],
);

export type PasskeyRow = typeof passkeys.$inferSelect;
