/** Mail by Resend's HTTP interface (https://resend.com/docs/api-reference/emails/send-email). */
import type { Delivery, Mailer } from "#core/mailer";
import type { Outbound } from "#core/outbound";

const address = "https://api.resend.com/emails";
const timeoutMs = 20_000;
const maxAnswerCharacters = 4_000;

export interface ResendParts {
  apiKey: string;
  outbound: Outbound;
}

export function resendMailer({ apiKey, outbound }: ResendParts): Mailer {
  return {
    async send({ id, from, to, subject, html, text, headers, messageId }) {
      if (apiKey === "") return later("RESEND_API_KEY is not set");
      const request = new Request(address, {
        method: "POST",
        headers: {
          authorization: `Bearer ${apiKey}`,
          "content-type": "application/json",
          // Kept for 24 hours, longer than the job tries: a repeated send is taken once.
          "idempotency-key": id,
        },
        body: JSON.stringify({
          from,
          to: [to],
          subject,
          html,
          text,
          headers: { ...headers, "Message-ID": messageId },
        }),
      });
      try {
        return await judge(await outbound.operator(request, { timeoutMs }));
      } catch {
        // Whether it was taken is not known; the idempotency key makes asking again harmless.
        return later("no answer from the mail service");
      }
    },
  };
}

async function judge(response: Response): Promise<Delivery> {
  const { id, name } = readAnswer((await response.text()).slice(0, maxAnswerCharacters));
  const why = `${response.status} ${name ?? ""}`.trim();
  if (response.ok) return { kind: "sent", vendorId: id };
  // The same key with other words: an earlier attempt was taken, and the templates changed since.
  if (response.status === 409 && name === "invalid_idempotent_request") return { kind: "sent", vendorId: null };
  const isAboutMail = response.status === 400 || response.status === 422;
  return isAboutMail ? { kind: "refused", why } : { ...later(why), afterSeconds: retryAfter(response) };
}

function readAnswer(text: string): { id: string | null; name: string | null } {
  try {
    const { id, name } = Object(JSON.parse(text)) as Record<string, unknown>;
    return { id: word(id), name: word(name) };
  } catch {
    return { id: null, name: null };
  }
}

const word = (value: unknown) => (typeof value === "string" && /^[\w-]{1,100}$/.test(value) ? value : null);

function retryAfter(response: Response): number | null {
  const given = response.headers.get("retry-after") ?? "";
  return /^\d{1,5}$/.test(given) ? Math.min(3_600, Math.max(1, Number(given))) : null;
}

function later(why: string): Extract<Delivery, { kind: "later" }> {
  return { kind: "later", why, afterSeconds: null };
}
