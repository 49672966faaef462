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
