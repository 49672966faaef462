/** Decisions about notices and mails, from values only. */

export const notificationKinds = ["security", "quota", "billing", "workspace", "jobs", "webhooks"] as const;
export type NotificationKind = (typeof notificationKinds)[number];

export const notificationChannels = ["inApp", "mail"] as const;
export type NotificationChannel = (typeof notificationChannels)[number];

/** What a person may switch off: whoever took an account over must not be able to silence what would tell of it. */
export function isOptionalKind(kind: string): kind is NotificationKind {
  return kind !== "security" && notificationKinds.some((known) => known === kind);
}

export type NotificationPreferences = Record<NotificationKind, Record<NotificationChannel, boolean>>;

/**
 * What a person wants, from the member `notifications` of the stored preferences: absent means all, the older clients' `true` and
 * `false` mean all and none, and security stays on in any case.
 */
export function readPreferences(stored: Record<string, unknown> | null | undefined): NotificationPreferences {
  const given = stored?.["notifications"];
  const wants = (kind: NotificationKind, channel: NotificationChannel): boolean => {
    if (!isOptionalKind(kind)) return true;
    if (typeof given === "boolean") return given;
    const ofKind = Object(Object(given)[kind]) as Record<string, unknown>;
    return ofKind[channel] !== false;
  };
  return Object.fromEntries(
    notificationKinds.map((kind) => [kind, { inApp: wants(kind, "inApp"), mail: wants(kind, "mail") }]),
  ) as NotificationPreferences;
}

/** The job that sends a mail. */
export const sendMailName = "notifications.send-mail";

export interface MailHealth {
  last: { state: "sent" | "refused" | "failed"; at: number } | null;
  /** When the transport last took a mail or refused one for the mail's own sake: it worked then. */
  answeredAt: number | null;
  /** Mails that it could not take in several tries. */
  waiting: number;
}

const silentMs = 10 * 60_000;

/**
 * Do mails get out, by what became of the last ones? A refused mail tells about its receiver. Some that wait tell about theirs, too, as long as
 * others get through.
 */
export function mailVerdict(
  { last, answeredAt, waiting }: MailHealth,
  nowMs: number,
): { works: boolean; detail: string } {
  if (last?.state === "failed") return { works: false, detail: "The last mail was given up." };
  if (waiting > 0 && (answeredAt === null || nowMs - answeredAt > silentMs))
    return { works: false, detail: `${waiting === 1 ? "A mail waits" : `${waiting} mails wait`} for a further try.` };
  if (last === null) return { works: true, detail: "Nothing was sent lately." };
  return {
    works: true,
    detail: last.state === "sent" ? "The last mail was taken." : "The last mail's receiver was refused.",
  };
}

/** `<mail_...@host>`: the same for every attempt at one mail. The host is the sender's, as far as it can stand in a header. */
export function messageIdOf(mailId: string, from: string): string {
  const host = /@([A-Za-z0-9.-]{1,255})>?\s*$/.exec(from)?.[1] ?? "localhost";
  return `<${mailId}@${host}>`;
}
