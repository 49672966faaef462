/** Cloudflare Turnstile: asks whether a token was made by a person's browser. A token works once and for five minutes, which is kept there. */
import type { Outbound } from "#core/outbound";

const verifyUrl = "https://challenges.cloudflare.com/turnstile/v0/siteverify";
const timeoutMs = 5_000;

/** Throws when no clear answer came: what that means is for the caller to say. */
export async function isHuman(
  outbound: Outbound,
  asked: { secretKey: string; token: string; address: string },
): Promise<boolean> {
  const form = new URLSearchParams({ secret: asked.secretKey, response: asked.token });
  // Locally there is no address, and one that is none would make the token wrong.
  if (/[.:]/.test(asked.address)) form.set("remoteip", asked.address);
  const answer = await outbound.operator(new Request(verifyUrl, { method: "POST", body: form }), { timeoutMs });
  const { success } = Object(await answer.json()) as { success?: unknown };
  if (!answer.ok || typeof success !== "boolean") throw new Error(`Turnstile answered ${answer.status}`);
  return success;
}
