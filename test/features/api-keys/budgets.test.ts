/** Budgets of a key: what all its uses together may come to, held by the ledger. */
import { describe, expect, it } from "vitest";
import type { WorkspaceCtx } from "#core/context";
import type { KeyBudget } from "#core/limits";
import { chargeUsage } from "#features/usage/service";
import { type Person, signUp, systemContext } from "#test/support/harness";
import { makeKey, type MadeKey } from "./support.ts";

/** The context of a request that came with the key, as its access check makes it. */
function asKey(person: Person, { id }: MadeKey, keyBudgets: readonly KeyBudget[]): WorkspaceCtx {
  return Object.assign(systemContext(), {
    actor: { kind: "api-key", userId: person.userId, keyId: id, mode: "live", scopes: ["models:use"] } as const,
    userId: person.userId,
    workspaceId: person.workspaceId,
    plan: "pro" as const,
    overrides: {},
    emailVerifiedAt: null,
    keyBudgets,
  });
}

let works = 0;
const charge = (ctx: WorkspaceCtx, amounts: Record<string, number>) =>
  chargeUsage(ctx, { reservationId: `work-${(works += 1)}`, amounts }).then(
    () => "charged",
    (error: { code: string }) => error.code,
  );

describe("a key's budgets", () => {
  it("admit exactly what they allow, however many ask at once, and refuse validation afterwards", async () => {
    const person = await signUp();
    const budgets = [{ meter: "credits", limit: 3, period: "day" }] as const;
    const key = await makeKey(person, { budgets });
    const other = await makeKey(person);
    expect(await key.validate()).toMatchObject({ code: "VALID" });
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => charge(asKey(person, key, budgets), { credits: 1 })),
    );
    expect(outcomes.filter((outcome) => outcome === "charged")).toHaveLength(3);
    expect(outcomes.filter((outcome) => outcome === "quota-exceeded")).toHaveLength(17);
    expect(await key.validate()).toMatchObject({ valid: false, code: "USAGE_EXCEEDED" });
    expect(await charge(asKey(person, other, []), { credits: 1 })).toBe("charged");
    expect(await other.validate()).toMatchObject({ code: "VALID" });
  });

  it("say nothing about other meters, and count over all time when they are told to", async () => {
    const person = await signUp();
    const budgets = [{ meter: "aiTokens", limit: 10, period: "total" }] as const;
    const key = await makeKey(person, { budgets });
    const ctx = asKey(person, key, budgets);
    expect(await charge(ctx, { credits: 1 })).toBe("charged");
    expect(await charge(ctx, { aiTokens: 11 })).toBe("quota-exceeded");
    expect(await charge(ctx, { aiTokens: 10 })).toBe("charged");
    expect(await key.validate()).toMatchObject({ code: "USAGE_EXCEEDED" });
    await person.call("PATCH", `/v1/api-keys/${key.id}`, { body: { budgets: [] } });
    expect(await key.validate()).toMatchObject({ code: "VALID" });
  });

  it.each([
    [{ meter: "apiCalls", limit: 1, period: "day" }],
    [{ meter: "aiTokens", limit: -1, period: "day" }],
    [{ meter: "aiTokens", limit: 1, period: "week" }],
    [{ meter: "aiTokens", limit: 1 }],
  ])("of the form %j are refused", async (budget) => {
    const person = await signUp();
    const answer = await person.call("POST", "/v1/api-keys", { body: { name: "x", budgets: [budget] } });
    expect(answer).toMatchObject({ status: 422, body: { code: "validation-failed" } });
  });
});
