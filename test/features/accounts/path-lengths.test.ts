/** Whoever names an address costs as many calls to far-away places whether or not it has an account: what cannot differ cannot be timed. */
import { describe, expect, it } from "vitest";
import { countingBindings } from "#test/support/counting";
import { bindings, call, signUp } from "#test/support/harness";
import { unique } from "./support.ts";

const { env, counts, reset } = countingBindings();
let messages = 0;
const queue = new Proxy(bindings.DELIVERY_QUEUE, {
  get(target, name) {
    const value: unknown = Reflect.get(target, name, target);
    if (typeof value !== "function") return value;
    return (...args: unknown[]) => {
      messages += 1;
      return Reflect.apply(value, target, args) as unknown;
    };
  },
});

type Step = [path: string, body: (email: string) => Record<string, string>];

const wrong = { code: "none", newPassword: "another long enough one" };
const forgot: Step = ["/v1/auth/forgot-password", (email) => ({ email })];
const mailedCode: Step = ["/v1/auth/email-code", (email) => ({ email })];
const signIn: Step = ["/v1/auth/login", (email) => ({ email, password: "not the password of anybody" })];
const guess: Step = ["/v1/auth/email-code/verify", (email) => ({ email, code: wrong.code })];
const resetPassword: Step = ["/v1/auth/reset-password", (email) => ({ email, ...wrong })];

let networks = 0;

/** What each step asks for: statements and batches, objects, files, messages. */
async function costsOf(steps: readonly Step[], email: string) {
  networks += 1;
  const headers = { "cf-connecting-ip": `10.77.${networks}.1` };
  const costs = [];
  for (const [path, body] of steps) {
    reset();
    messages = 0;
    const answer = await call("POST", path, { body: body(email), headers, env: { ...env, DELIVERY_QUEUE: queue } });
    costs.push({ path, status: answer.status, code: String(answer.body.code ?? ""), ...counts, messages });
  }
  return costs;
}

describe("a known and an unknown address", () => {
  it.each([
    ["signing in, up to the lock and beyond", Array.from({ length: 7 }, () => signIn), "sign-in-locked"],
    ["forgotten passwords, again and again", [forgot, forgot, forgot], "code-sent-recently"],
    ["codes to sign in, again and again", [mailedCode, mailedCode, mailedCode], "code-sent-recently"],
    ["guessing at a code to sign in", [mailedCode, ...Array.from({ length: 7 }, () => guess)], "code-wrong"],
    ["guessing at a code to reset", [forgot, ...Array.from({ length: 7 }, () => resetPassword)], "code-wrong"],
    ["guessing where no code is", [guess, guess], "code-wrong"],
  ])("cost the same: %s", async (_, steps, lastCode) => {
    const { email } = await signUp();
    const known = await costsOf(steps, email);
    expect(known).toEqual(await costsOf(steps, unique()));
    expect(known.at(-1)?.code).toBe(lastCode);
    expect(known.every(({ objects }) => objects > 0)).toBe(true);
  });
});
