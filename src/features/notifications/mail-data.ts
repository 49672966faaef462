/** What each mail is about: its name, what it is told, and which of a person's preferences it obeys. */
import type { NotificationKind } from "./rules.ts";

/** Milliseconds, or ISO 8601. */
export type Moment = number | string;

interface InvitationData {
  workspaceName: string;
  inviterName: string;
  link: string;
  expiresAt: Moment;
}

export interface MailData {
  "verify-email": { code: string; expiresInHours: number };
  "sign-in-code": { code: string; expiresInMinutes: number };
  "reset-password": { code: string; link: string; expiresInMinutes: number };
  /** Goes to both addresses: `isOld` is the one that the account has now. */
  "email-change": { code: string; newEmail: string; isOld: boolean };
  /** Goes to the address that the account had: it does not name the new one, because a wrong address may be a stranger's. */
  "email-changed": { byStaff: boolean };
  "account-exists": Record<string, never>;
  "password-changed": Record<string, never>;
  "new-sign-in": { address: string; userAgent: string; at: Moment };
  invitation: InvitationData;
  "sub-user-invitation": InvitationData;
  "quota-notice": { resource: string; percent: number; used: number | string; limit: number | string; period: string };
  /** With its currency, as a person reads it. */
  "payment-failed": { amount: string; link: string };
  "trial-ending": { endsAt: Moment };
  "subscription-changed": { plan: string };
  "password-reset-required": { link: string };
  "webhook-disabled": { url: string };
}

export type MailTemplate = keyof MailData;

/** Mails that a person may do without, each with the preference that it obeys. All others are part of what the person asked for. */
export const optionalMails = {
  "quota-notice": "quota",
  "trial-ending": "billing",
  "webhook-disabled": "webhooks",
} as const satisfies Partial<Record<MailTemplate, NotificationKind>>;

export const mailTemplates = [
  "verify-email",
  "sign-in-code",
  "reset-password",
  "email-change",
  "email-changed",
  "account-exists",
  "password-changed",
  "new-sign-in",
  "invitation",
  "sub-user-invitation",
  "quota-notice",
  "payment-failed",
  "trial-ending",
  "subscription-changed",
  "password-reset-required",
  "webhook-disabled",
] as const satisfies readonly MailTemplate[];

/** One mail: to whom, what about, and, where it is known, for whom and in which workspace. */
export type MailOrder = {
  [Template in MailTemplate]: {
    template: Template;
    to: string;
    data: MailData[Template];
    userId?: string | null | undefined;
    workspaceId?: string | null | undefined;
  };
}[MailTemplate];

/** The preference that a mail obeys; null where it goes out in any case. */
export function preferenceOf(template: MailTemplate): NotificationKind | null {
  return template in optionalMails ? optionalMails[template as keyof typeof optionalMails] : null;
}
