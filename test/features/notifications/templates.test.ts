/** What mails look like, and what hostile words can do in them: nothing. */
import { describe, expect, it } from "vitest";
import { type MailData, type MailTemplate, mailTemplates } from "#features/notifications/mail-data";
import { oneLine, webAddress } from "#features/notifications/templates/words";
import { render } from "../../../src/features/notifications/templates/render.tsx";

const options = { site: "https://overtone.example", unsubscribe: null };

function dataWith(words: string): MailData {
  const invitation = { workspaceName: words, inviterName: words, link: words, expiresAt: words };
  return {
    "verify-email": { code: words, expiresInHours: 24 },
    "sign-in-code": { code: words, expiresInMinutes: 10 },
    "reset-password": { code: words, link: words, expiresInMinutes: 10 },
    "email-change": { code: words, newEmail: words, isOld: true },
    "email-changed": { byStaff: true },
    "account-exists": {},
    "password-changed": {},
    "new-sign-in": { address: words, userAgent: words, at: words },
    invitation,
    "sub-user-invitation": invitation,
    "quota-notice": { resource: words, percent: 80, used: words, limit: words, period: words },
    "payment-failed": { amount: words, link: words },
    "trial-ending": { endsAt: words },
    "subscription-changed": { plan: words },
    "password-reset-required": { link: words },
    "webhook-disabled": { url: words },
  };
}

const hostile = `"><script>alert(1)</script>\r\nBcc: all@example.com\r\n\r\n<img src=x onerror='x'>\u202e\u2028&amp;`;

describe.each(mailTemplates.map((template) => [template]))("the mail %s", (template: MailTemplate) => {
  it("has a subject, HTML and plain text, and loads nothing from anywhere", async () => {
    const mail = await render(template, dataWith("Ärger & Söhne")[template], options);
    expect(mail.subject).toMatch(/\S/);
    expect(mail.text).toContain("https://overtone.example");
    expect(mail.html).toMatch(/^<!doctype html><html lang="en">.*<\/html>$/s);
    expect(mail.html).not.toMatch(/<(img|link|script|iframe)|\bsrc=|url\(/i);
  });

  it("takes hostile words as words", async () => {
    const mail = await render(template, dataWith(hostile)[template], options);
    expect(mail.subject).not.toMatch(/[\p{Cc}\p{Zl}\u202e]/u);
    expect(mail.subject.length).toBeLessThanOrEqual(180);
    expect(mail.html).not.toMatch(/<script|<img/);
    expect(mail.html).not.toContain("\r");
    expect(mail.text).not.toMatch(/^Bcc:/m);
    expect(mail.text).not.toMatch(/[\r\u2028\u202e]/);
  });
});

describe("words", () => {
  it("are one line of bounded length", () => {
    expect(oneLine("a\r\n\tb\u0000\u2029c", 10)).toBe("a b c");
    expect(oneLine("x".repeat(300), 20)).toBe(`${"x".repeat(19)}…`);
    expect(oneLine("👍".repeat(30), 3)).toBe("👍👍…");
  });

  it("that are no web address are no link", async () => {
    expect(webAddress("javascript:alert(1)")).toBeNull();
    expect(webAddress("data:text/html,x")).toBeNull();
    expect(webAddress('https://example.com/?a="b"')).toBe("https://example.com/?a=%22b%22");
    const mail = await render("password-reset-required", { link: "javascript:alert(1)" }, options);
    expect(mail.html).not.toContain("javascript:");
  });

  it("name the moment in UTC", async () => {
    const mail = await render("trial-ending", { endsAt: Date.UTC(2026, 10, 21, 16, 40) }, options);
    expect(mail.text).toContain("21 November 2026, 16:40 UTC");
  });

  it("offer the way out where there is one", async () => {
    const unsubscribe = "https://overtone.example/v1/notifications/unsubscribe?token=t";
    const mail = await render("trial-ending", { endsAt: 0 }, { ...options, unsubscribe });
    expect(mail.html).toContain(`href="${unsubscribe}"`);
    expect(mail.text).toContain(unsubscribe);
  });
});
