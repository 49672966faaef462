/** The catalogue of events: each with what it says and an example of its data. The only list of types; nothing else is ever sent. */

interface EventType {
  description: string;
  /** What `data` looks like. */
  example: Record<string, unknown>;
}

const at = "2026-11-21T12:00:00.000Z";
const conversionId = "conv_01kampz5z0wq4y1t3v8d9e2rf6";
const fileId = "file_01kampz5z0c3b8n1m6k4h7j2s9";
const userId = "usr_01kampz5z0a1b2c3d4e5f6g7h8";
const workspaceId = "wks_01kampz5z0a1b2c3d4e5f6g7h8";
const quota = { resource: "aiTokens", used: 40_000, limit: 50_000, period: "2026-11" };
const subscription = { plan: "pro", status: "active", currentPeriodEndsAt: at };
const invoice = { invoiceId: "in_1", amountDueMicroUsd: 29_990_000, currency: "usd" };

export const eventTypes = {
  "conversion.completed": {
    description: "A conversion has finished; its images or its file can be downloaded.",
    example: {
      conversionId,
      status: "completed",
      downloadUrl: `https://overtone.example.com/v1/conversions/${conversionId}/download-zip`,
    },
  },
  "conversion.failed": {
    description: "A conversion has ended without a result.",
    example: { conversionId, status: "failed", code: "not-an-image", detail: "cover.txt: no image." },
  },
  "job.failed": {
    description: "A job of any kind has ended without a result.",
    example: { jobId: "job_01kampz5z0w1x2y3z4a5b6c7d8", kind: "conversions.seal-audio", code: "internal" },
  },
  "file.uploaded": {
    description: "An upload was completed and checked.",
    example: { fileId, name: "briefing.wav", contentType: "audio/wav", sizeBytes: 48_044 },
  },
  "file.deleted": { description: "A file was deleted.", example: { fileId, name: "briefing.wav" } },
  "member.invited": {
    description: "Somebody was invited to the workspace.",
    example: { invitationId: "inv_01kampz5z0w1x2y3z4a5b6c7d8", email: "new@example.com", role: "member" },
  },
  "member.joined": { description: "An invitation was accepted.", example: { userId, role: "member" } },
  "member.removed": { description: "A member has left or was removed.", example: { userId } },
  "workspace.deleted": { description: "The workspace was deleted.", example: { workspaceId } },
  "sub-user.created": { description: "A sub-user was created.", example: { userId, email: "sub@example.com" } },
  "sub-user.deleted": { description: "A sub-user was deleted.", example: { userId } },
  "api-key.created": {
    description: "An API key was made.",
    example: { keyId: "key_01kampz5z0a1b2c3d4e5f6g7h8", name: "backend" },
  },
  "api-key.rotated": {
    description: "An API key has a new secret; the old one works until `previousWorksUntil`.",
    example: { keyId: "key_01kampz5z0a1b2c3d4e5f6g7h8", name: "backend", previousWorksUntil: at },
  },
  "api-key.deleted": {
    description: "An API key was deleted.",
    example: { keyId: "key_01kampz5z0a1b2c3d4e5f6g7h8", name: "backend" },
  },
  "quota.warning": { description: "80 % of a quota are used.", example: { ...quota, percent: 80 } },
  "quota.reached": { description: "A quota is used up.", example: { ...quota, used: 50_000, percent: 100 } },
  "subscription.updated": { description: "The subscription has changed.", example: subscription },
  "subscription.cancelled": {
    description: "The subscription has ended.",
    example: { ...subscription, plan: "free", status: "cancelled" },
  },
  "invoice.paid": { description: "An invoice was paid.", example: invoice },
  "invoice.payment-failed": { description: "A payment has failed.", example: invoice },
  ping: { description: "A test that a person asked for.", example: { message: "It works." } },
} as const satisfies Record<string, EventType>;

export type EventTypeName = keyof typeof eventTypes;
export const eventTypeNames = Object.keys(eventTypes) as [EventTypeName, ...EventTypeName[]];

/** Does one of the patterns (`conversion.completed`, `conversion.*`, `*`) name the type? */
export function isWanted(patterns: readonly string[], type: string): boolean {
  return patterns.some(
    (pattern) =>
      pattern === "*" || pattern === type || (pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1))),
  );
}

/** Does the pattern name any type at all? One that names none is a mistake of writing. */
export function isPattern(pattern: string): boolean {
  return eventTypeNames.some((type) => isWanted([pattern], type));
}
