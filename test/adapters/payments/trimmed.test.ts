/** What scripts/trim.ts leaves out refuses loudly, and what it keeps is there. */
import { describe, expect, it } from "vitest";
import { Stripe } from "#trimmed/stripe";

const client = () => new Stripe("sk_test_none", { maxNetworkRetries: 0 }) as unknown as Record<string, Resource>;

interface Resource {
  list(): Promise<unknown>;
  sessions: { create: unknown };
  configurations: Resource;
}

describe("the trimmed SDK of Stripe", () => {
  it("keeps what billing calls", () => {
    const { creditNotes, customers, subscriptions, subscriptionSchedules, invoices, prices, products, ...more } =
      client();
    const { checkout, billingPortal } = more;
    for (const resource of [creditNotes, customers, subscriptions, subscriptionSchedules, invoices, prices, products])
      expect(resource?.list).toBeTypeOf("function");
    for (const pages of [checkout, billingPortal]) expect(pages?.sessions.create).toBeTypeOf("function");
  });

  it.each(["charges", "refunds", "issuing", "treasury", "accounts", "events", "oauth"])("throws for %s", (name) => {
    const resource = client()[name];
    expect(() => resource?.list()).toThrow(/is left out of this build/);
  });

  it("throws for what is left out of a part that stays", () => {
    expect(() => client()["billingPortal"]?.configurations.list()).toThrow("ConfigurationResource is left out");
  });
});
