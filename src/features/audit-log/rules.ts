/** How lines and entries are named for those who ask for them: pure renamings. */

/** The names of system A's categories are taken, too. */
export const logCategories = [
  "api",
  "auth",
  "billing",
  "conversion",
  "file",
  "job",
  "key",
  "mail",
  "system",
  "webhook",
  "workspace",
] as const;
export type LogCategory = (typeof logCategories)[number];

const byFirstWord: Readonly<Record<string, LogCategory>> = {
  account: "auth",
  "api-key": "key",
  billing: "billing",
  code: "auth",
  conversion: "conversion",
  "data-key": "key",
  "encryption-key": "key",
  file: "file",
  invoice: "billing",
  job: "job",
  key: "key",
  mail: "mail",
  media: "file",
  member: "workspace",
  notification: "mail",
  passkey: "auth",
  queue: "job",
  request: "api",
  schedule: "job",
  session: "auth",
  "sign-in": "auth",
  storage: "file",
  stripe: "billing",
  subscription: "billing",
  upload: "file",
  webhook: "webhook",
  workspace: "workspace",
};

/** What a line is about, by the first word of its event. */
export function logCategoryOf(event: string): LogCategory {
  return byFirstWord[event.split(".", 1)[0] ?? ""] ?? "system";
}

/** A pattern for LIKE with `\` as its escape. D1 takes at most 50 bytes; null: too long to ask for. */
export function likePattern(text: string): string | null {
  const pattern = `%${text.replaceAll(/[\\%_]/g, (sign) => `\\${sign}`)}%`;
  return new TextEncoder().encode(pattern).byteLength <= 50 ? pattern : null;
}

/** A category by our name or by system A's, in any case; undefined: there is none. */
export function readCategory(given: string): LogCategory | undefined {
  const name = given.toLowerCase();
  const older: Readonly<Record<string, LogCategory>> = {
    key_management: "key",
    authentication: "auth",
    upload: "file",
  };
  return older[name] ?? logCategories.find((category) => category === name);
}

/** System B's names of security events. All others are named after their action. */
const eventTypes: Readonly<Record<string, string>> = {
  "account.registered": "user_registered",
  "account.registration-failed": "registration_failed",
  "account.signed-in": "login_successful",
  "account.sign-in-failed": "login_failed",
  "account.password-hash-upgraded": "password_hash_upgraded",
  "api-key.rotated": "api_key_regenerated",
  "staff.api-keys-revoked": "api_key_regenerated",
  "staff.admin-created": "admin_created",
  "staff.user-changed": "user_updated_by_admin",
  "staff.user-deleted": "user_deleted_by_admin",
  "support.user-changed": "user_updated_by_support",
  "limit.exceeded": "rate_limit_exceeded",
};

export function eventTypeOf(action: string): string {
  return eventTypes[action] ?? action.replaceAll(/[.-]/g, "_");
}

/** The actions that an event type may mean: B's by the table above, ours by each way to read its words as `noun.verb`. */
export function actionsOf(eventType: string): string[] {
  const named = Object.keys(eventTypes).filter((action) => eventTypes[action] === eventType);
  if (named.length > 0) return named;
  const words = eventType.split("_").slice(0, 10);
  const readings = words
    .slice(1)
    .map((_, at) => `${words.slice(0, at + 1).join("-")}.${words.slice(at + 1).join("-")}`);
  return [eventType, ...readings];
}
