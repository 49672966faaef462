/** Asks for a person at open forms, where the deployer configured Turnstile. Closed when Turnstile cannot be reached: bots would wait for that. */
import { isHuman } from "#adapters/sign-in/turnstile/client";
import type { Ctx } from "#core/context";
import { Problem } from "#core/problem";
import type { RawInput } from "./exchange.ts";

const member = "turnstileToken";
const maxTokenLength = 2_048;

/** Throws `human-check-failed` or `human-check-unavailable`. Call it once the input is valid: a token works once. */
export async function requireHuman(ctx: Ctx, input: RawInput): Promise<void> {
  const { turnstile } = ctx.settings;
  if (turnstile === null) return;
  const token = input.request.headers.get("x-turnstile-token") ?? tokenIn(input.bodyText);
  if (token === null || token === "" || token.length > maxTokenLength) throw new Problem("human-check-failed");
  const asked = { secretKey: turnstile.secretKey, token, address: ctx.origin.address };
  const passed = await isHuman(ctx.outbound, asked).catch((error: unknown) => {
    ctx.log("error", "turnstile.unavailable", { error });
    throw new Problem("human-check-unavailable", { headers: { "retry-after": "10" } });
  });
  if (!passed) throw new Problem("human-check-failed");
}

/** JSON or a form: it was read as one of them already. */
function tokenIn(bodyText: string): string | null {
  if (!bodyText.trimStart().startsWith("{")) return new URLSearchParams(bodyText).get(member);
  const value = (JSON.parse(bodyText) as Record<string, unknown>)[member];
  return typeof value === "string" ? value : null;
}

/** The body as the operation knows it. */
export function withoutToken(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !(member in value)) return value;
  const { [member]: _, ...rest } = value as Record<string, unknown>;
  return rest;
}
