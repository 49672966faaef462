/** From what a mail is told to its subject, HTML and plain text. Loaded with the first mail only. */
import type { MailData, MailTemplate } from "../mail-data.ts";
import * as account from "./account-letters.ts";
import type { Block, Letter } from "./blocks.ts";
import { Layout } from "./layout.tsx";
import { oneLine } from "./words.ts";
import * as workspace from "./workspace-letters.ts";

const letters: { [Template in MailTemplate]: (data: MailData[Template]) => Letter } = {
  "verify-email": account.verifyEmail,
  "sign-in-code": account.signInCode,
  "reset-password": account.resetPassword,
  "email-change": account.emailChange,
  "account-exists": account.accountExists,
  "password-changed": account.passwordChanged,
  "new-sign-in": account.newSignIn,
  "password-reset-required": account.passwordResetRequired,
  invitation: workspace.invitation,
  "sub-user-invitation": workspace.subUserInvitation,
  "quota-notice": workspace.quotaNotice,
  "payment-failed": workspace.paymentFailed,
  "trial-ending": workspace.trialEnding,
  "subscription-changed": workspace.subscriptionChanged,
  "webhook-disabled": workspace.webhookDisabled,
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
