/** Mails about workspaces, their use and what they pay. */
import type { MailData } from "../mail-data.ts";
import { facts, type Letter, link, paragraph } from "./blocks.ts";
import { momentWords, oneLine, webAddress } from "./words.ts";

export function invitation(data: MailData["invitation"]): Letter {
  const workspace = oneLine(data.workspaceName, 80);
  const inviter = oneLine(data.inviterName, 80);
  return {
    subject: `${inviter} invites you to ${workspace}`,
    blocks: [
      paragraph(`${inviter} invites you to the workspace "${workspace}".`),
      ...link("Answer the invitation", webAddress(data.link)),
      paragraph(`The invitation ends on ${momentWords(data.expiresAt)}. It is for this e-mail address only.`),
      paragraph("If you do not know what this is about, ignore this mail."),
    ],
  };
}

export function subUserInvitation(data: MailData["sub-user-invitation"]): Letter {
  const workspace = oneLine(data.workspaceName, 80);
  const inviter = oneLine(data.inviterName, 80);
  return {
    subject: `Your account in ${workspace}`,
    blocks: [
      paragraph(`${inviter} made an account for you in the workspace "${workspace}".`),
      ...link("Set your password", webAddress(data.link)),
      paragraph(`The link ends on ${momentWords(data.expiresAt)}. It is for this e-mail address only.`),
      paragraph("If you do not know what this is about, ignore this mail."),
    ],
  };
}

export function quotaNotice(data: MailData["quota-notice"]): Letter {
  const resource = oneLine(data.resource, 60);
  const isUsedUp = data.percent >= 100;
  return {
    subject: isUsedUp ? `Used up: ${resource}` : `${oneLine(data.percent, 5)} % used: ${resource}`,
    blocks: [
      paragraph(
        isUsedUp
          ? `Your workspace has used all of its ${resource}. Requests that need more are refused.`
          : `Your workspace has used ${oneLine(data.percent, 5)} % of its ${resource}.`,
      ),
      facts(["Used", oneLine(data.used, 40)], ["Limit", oneLine(data.limit, 40)], ["Period", oneLine(data.period, 60)]),
      paragraph("A larger plan raises the limit."),
    ],
  };
}

export function paymentFailed(data: MailData["payment-failed"]): Letter {
  return {
    subject: "Your payment failed",
    blocks: [
      paragraph(`We could not collect ${oneLine(data.amount, 40)} for your workspace's subscription.`),
      ...link("Look at the payment method", webAddress(data.link)),
      paragraph("We try again in the next days. If no payment succeeds, the workspace returns to the free plan."),
    ],
  };
}

export function trialEnding({ endsAt }: MailData["trial-ending"]): Letter {
  return {
    subject: "Your trial ends soon",
    blocks: [
      paragraph(`The trial of your workspace ends on ${momentWords(endsAt)}. The subscription begins then.`),
      paragraph("If you do not want that, cancel it before."),
    ],
  };
}

export function subscriptionChanged({ plan }: MailData["subscription-changed"]): Letter {
  return {
    subject: "Your subscription changed",
    blocks: [paragraph(`Your workspace's plan is now ${oneLine(plan, 40)}.`)],
  };
}

export function webhookDisabled({ url }: MailData["webhook-disabled"]): Letter {
  return {
    subject: "A webhook was disabled",
    blocks: [
      paragraph("Deliveries to this webhook failed again and again, so it was disabled:"),
      facts(["Address", oneLine(url, 300)]),
      paragraph("Enable it again when its server answers. What was not delivered can be delivered again."),
    ],
  };
}
