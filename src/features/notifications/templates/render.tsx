/** From what a mail is told to its subject, HTML and plain text. Loaded with the first mail only. */
import type { MailData, MailTemplate } from "../mail-data.ts";
import {
  accountExists,
  emailChange,
  emailChanged,
  newSignIn,
  passwordChanged,
  passwordResetRequired,
  resetPassword,
  signInCode,
  verifyEmail,
} from "./account-letters.ts";
import type { Block, Letter } from "./blocks.ts";
import { Layout } from "./layout.tsx";
import { oneLine } from "./words.ts";
import {
  invitation,
  paymentFailed,
  quotaNotice,
  subscriptionChanged,
  subUserInvitation,
  trialEnding,
  webhookDisabled,
} from "./workspace-letters.ts";

const letters: { [Template in MailTemplate]: (data: MailData[Template]) => Letter } = {
  "verify-email": verifyEmail,
  "sign-in-code": signInCode,
  "reset-password": resetPassword,
  "email-change": emailChange,
  "email-changed": emailChanged,
  "account-exists": accountExists,
  "password-changed": passwordChanged,
  "new-sign-in": newSignIn,
  "password-reset-required": passwordResetRequired,
  invitation,
  "sub-user-invitation": subUserInvitation,
  "quota-notice": quotaNotice,
  "payment-failed": paymentFailed,
  "trial-ending": trialEnding,
  "subscription-changed": subscriptionChanged,
  "webhook-disabled": webhookDisabled,
};

export interface Rendered {
  subject: string;
  html: string;
  text: string;
}

export interface RenderOptions {
  site: string;
  unsubscribe: string | null;
}

export async function render<Template extends MailTemplate>(
  template: Template,
  data: MailData[Template],
  { site, unsubscribe }: RenderOptions,
): Promise<Rendered> {
  const letter = letters[template](data);
  const subject = oneLine(letter.subject, 180);
  const page = <Layout subject={subject} blocks={letter.blocks} site={site} unsubscribe={unsubscribe} />;
  return { subject, html: `<!doctype html>${await page}`, text: plainText(letter.blocks, { site, unsubscribe }) };
}

function plainText(blocks: readonly Block[], { site, unsubscribe }: RenderOptions): string {
  const footer = [`-- `, `Sent by Overtone at ${site}.`];
  if (unsubscribe !== null) footer.push(`No more mails of this kind: ${unsubscribe}`);
  return `${[...blocks.map(plainBlock), footer.join("\n")].join("\n\n")}\n`;
}

function plainBlock(block: Block): string {
  switch (block.kind) {
    case "paragraph":
      return block.words;
    case "code":
      return `    ${block.code}`;
    case "link":
      return `${block.label}:\n${block.link}`;
    case "facts":
      return block.facts.map(([name, value]) => `${name}: ${value}`).join("\n");
  }
}
