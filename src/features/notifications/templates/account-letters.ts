/** Mails about a person's own account: codes, and what happened to it. All of them go out whatever the person prefers. */
import type { MailData } from "../mail-data.ts";
import { code, facts, type Letter, link, paragraph } from "./blocks.ts";
import { momentWords, oneLine, webAddress } from "./words.ts";

const notYou = paragraph("If this was not you, change your password and end your other sessions.");
const ignore = paragraph("If you did not ask for this, ignore this mail. Nobody can do anything without the code.");
const neverTell = paragraph("We never ask for this code: tell it to nobody.");

export function verifyEmail({ code: digits, expiresInHours }: MailData["verify-email"]): Letter {
  return {
    subject: "Verify your e-mail address",
    blocks: [
      paragraph("This code verifies your e-mail address:"),
      code(oneLine(digits, 20)),
      paragraph(`It works once, for ${count(expiresInHours, "hour")}.`),
      neverTell,
      ignore,
    ],
  };
}

export function signInCode({ code: digits, expiresInMinutes }: MailData["sign-in-code"]): Letter {
  return {
    subject: "Your sign-in code",
    blocks: [
      paragraph("This code signs you in:"),
      code(oneLine(digits, 20)),
      paragraph(`It works once, for ${count(expiresInMinutes, "minute")}.`),
      neverTell,
      ignore,
    ],
  };
}

export function resetPassword(data: MailData["reset-password"]): Letter {
  return {
    subject: "Reset your password",
    blocks: [
      paragraph("This code sets a new password:"),
      code(oneLine(data.code, 20)),
      ...link("Set a new password", webAddress(data.link)),
      paragraph(`It works once, for ${count(data.expiresInMinutes, "minute")}.`),
      neverTell,
      ignore,
    ],
  };
}

export function emailChange({ code: digits, newEmail, isOld }: MailData["email-change"]): Letter {
  return {
    subject: isOld ? "Confirm that your e-mail address changes" : "Confirm your new e-mail address",
    blocks: [
      paragraph(
        isOld
          ? `Your account's e-mail address is to change to ${oneLine(newEmail, 254)}. This code confirms it:`
          : "This address is to become the e-mail address of an account. This code confirms it:",
      ),
      code(oneLine(digits, 20)),
      neverTell,
      isOld ? notYou : ignore,
    ],
  };
}

export function emailChanged({ byStaff }: MailData["email-changed"]): Letter {
  return {
    subject: "Your e-mail address was changed",
    blocks: [
      paragraph(
        byStaff
          ? "Our staff changed the e-mail address of your account, and ended its sessions. This address does not belong to it any more."
          : "The e-mail address of your account was changed. This address does not belong to it any more.",
      ),
      paragraph(
        "If you did not ask for this, answer at once to whoever runs this service: you cannot sign in with it.",
      ),
    ],
  };
}

export function accountExists(): Letter {
  return {
    subject: "You already have an account",
    blocks: [
      paragraph(
        "Somebody tried to make an account with this e-mail address. There is one already, so nothing changed.",
      ),
      paragraph("If it was you: sign in, or ask for a new password."),
      paragraph("If it was not you, there is nothing to do."),
    ],
  };
}

export function passwordChanged(): Letter {
  return {
    subject: "Your password was changed",
    blocks: [
      paragraph("The password of your account was changed, and all other sessions were ended."),
      paragraph("If this was not you, ask for a new password at once."),
    ],
  };
}

export function newSignIn({ address, userAgent, at }: MailData["new-sign-in"]): Letter {
  return {
    subject: "New sign-in to your account",
    blocks: [
      paragraph("Somebody signed in to your account from a place that it had not been used from before."),
      facts(["When", momentWords(at)], ["Address", oneLine(address, 60)], ["Program", oneLine(userAgent, 200)]),
      notYou,
    ],
  };
}

export function passwordResetRequired(data: MailData["password-reset-required"]): Letter {
  return {
    subject: "Set a new password",
    blocks: [
      paragraph("Before you can sign in again, your account needs a new password."),
      ...link("Set a new password", webAddress(data.link)),
    ],
  };
}

function count(number: number, unit: string): string {
  return number === 1 ? `1 ${unit}` : `${number} ${unit}s`;
}
