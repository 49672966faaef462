/** What clients send to and get from billing. The names with underscores are those of older clients. */
import * as z from "zod";
import { subscriptionStates } from "#adapters/payments/contract";
import { legacyBody } from "#core/legacy-body";
import { pageOf } from "#core/page";
import { billingIntervals } from "#core/plan-prices";
import { planNames } from "#core/plans";
import { Problem } from "#core/problem";
import { type Output, shape } from "#core/shape";

const planName = shape(() => z.enum(planNames));
const interval = shape(() => z.enum(billingIntervals));
const amount = shape(() => z.number().int().min(0).meta({ description: "Millionths of the currency's unit." }));
const limit = shape(() => z.number().nullable());
const time = shape(() => z.iso.datetime());
const mode = () => ({
  billingConfigured: z.boolean().meta({ description: "Can plans be bought here?" }),
  sandbox: z.boolean().meta({ description: "Payments go to a simulated company: nothing is charged." }),
});

const planShape = shape(() =>
  z
    .object({
      name: planName(),
      display_name: z.string(),
      price_monthly: z.number().meta({ description: "US dollars." }),
      price_yearly: z.number().meta({ description: "US dollars." }),
      monthly_tokens: limit(),
      monthly_requests: limit(),
      rate_limit_per_minute: limit(),
      features: z.array(z.string()),
      monthlyMicroUsd: amount(),
      yearlyMicroUsd: amount(),
      currency: z.string(),
      trialDays: z.number().int(),
      limits: z.record(z.string(), limit()).meta({ description: "Null means no limit." }),
    })
    .meta({ id: "Plan" }),
);

export const plansShape = shape(() => z.object({ plans: z.array(planShape()), ...mode() }).meta({ id: "Plans" }));

export const comparisonShape = shape(() =>
  z
    .object({
      plans: z.array(
        z.object({
          name: planName(),
          display_name: z.string(),
          price_monthly: z.number(),
          price_yearly: z.number(),
        }),
      ),
      features: z.array(
        z.object({ name: z.string(), label: z.string(), free: limit(), pro: limit(), enterprise: limit() }),
      ),
    })
    .meta({ id: "PlanComparison" }),
);

export const optionsShape = shape(() =>
  z
    .object({
      current_plan: planName(),
      options: z.array(
        z.object({
          plan: planName(),
          display_name: z.string(),
          interval: interval(),
          direction: z.enum(["upgrade", "downgrade"]),
          amountMicroUsd: amount(),
          currency: z.string(),
          monthly_tokens: limit(),
          features: z.array(z.string()),
        }),
      ),
      ...mode(),
    })
    .meta({ id: "PlanOptions" }),
);

const subscriptionShape = shape(() =>
  z
    .object({
      id: z.string(),
      plan: planName().nullable(),
      interval: interval().nullable(),
      state: z.enum(subscriptionStates),
      currentPeriodStartsAt: time().nullable(),
      currentPeriodEndsAt: time().nullable(),
      cancelAtPeriodEnd: z.boolean(),
      trialEndsAt: time().nullable(),
      graceEndsAt: time().nullable().meta({ description: "Until then an unpaid subscription still grants its plan." }),
      pendingChange: z.object({ plan: planName(), interval: interval(), at: time().nullable() }).nullable(),
    })
    .meta({ id: "Subscription" }),
);

const standingMembers = () => ({
  tier: planName(),
  plan: planName(),
  status: z.enum(["active", "inactive", "cancelled", "past_due"]),
  features: z.array(z.string()),
  subscription: subscriptionShape().nullable(),
  ...mode(),
});

const usageMembers = () => ({
  usage_limits: z.object({
    monthly_requests: limit(),
    monthly_tokens: limit(),
    concurrent_requests: limit(),
    rate_limit_per_minute: limit(),
  }),
  current_usage: z.object({ requests_used: z.number(), tokens_used: z.number(), reset_date: time() }),
  usage_percentage: z.object({ requests: limit(), tokens: limit() }),
});

export const currentShape = shape(() =>
  z.object({ ...standingMembers(), ...usageMembers() }).meta({ id: "CurrentSubscription" }),
);

export const planUsageShape = shape(() =>
  z.object({ tier: planName(), plan: planName(), ...usageMembers() }).meta({ id: "PlanUsage" }),
);

export const changedShape = shape(() =>
  z.object({ message: z.string(), ...standingMembers() }).meta({ id: "SubscriptionChanged" }),
);

const chosen = () => ({
  plan: planName().optional(),
  plan_name: planName().optional().meta({ description: "The older name of `plan`." }),
  interval: interval().optional(),
  billing_interval: interval().optional().meta({ description: "Another name of `interval`." }),
});

export const changeBody = shape(() => legacyBody(chosen()));

export const checkoutBody = shape(() =>
  legacyBody({
    ...chosen(),
    success_url: z.url().max(2_000).optional(),
    successUrl: z.url().max(2_000).optional(),
    cancel_url: z.url().max(2_000).optional(),
    cancelUrl: z.url().max(2_000).optional(),
  }),
);

export const portalBody = shape(() =>
  legacyBody({ return_url: z.url().max(2_000).optional(), returnUrl: z.url().max(2_000).optional() }),
);

export const cancelBody = shape(() => legacyBody({ reason: z.string().max(500).optional() }));

export const checkoutShape = shape(() =>
  z
    .object({
      checkout_url: z.url(),
      id: z.string(),
      plan: planName(),
      interval: interval(),
      expiresAt: time(),
      sandbox: z.boolean(),
    })
    .meta({ id: "Checkout" }),
);

export const portalShape = shape(() =>
  z.object({ portal_url: z.url(), url: z.url(), sandbox: z.boolean() }).meta({ id: "BillingPortal" }),
);

const invoiceShape = shape(() =>
  z
    .object({
      id: z.string(),
      number: z.string().nullable(),
      status: z.enum(["draft", "open", "paid", "void", "uncollectible"]),
      amountDueMicroUsd: amount(),
      amountPaidMicroUsd: amount(),
      currency: z.string(),
      periodStartsAt: time(),
      periodEndsAt: time(),
      createdAt: time(),
      paidAt: time().nullable(),
      hostedUrl: z.string().nullable(),
      pdfUrl: z.string().nullable(),
    })
    .meta({ id: "Invoice" }),
);

export const invoicePage = pageOf(invoiceShape, "InvoicePage");

export const paymentMethodsShape = shape(() =>
  z
    .object({
      items: z.array(
        z.object({
          id: z.string(),
          kind: z.string(),
          brand: z.string().nullable(),
          lastFour: z.string().nullable(),
          expiryMonth: z.number().int().nullable(),
          expiryYear: z.number().int().nullable(),
          isDefault: z.boolean(),
        }),
      ),
    })
    .meta({ id: "PaymentMethods" }),
);

export const paymentEventShape = shape(() =>
  z.object({ id: z.string(), type: z.string() }).meta({ id: "PaymentEvent", description: "Stripe's event, signed." }),
);

export const receivedShape = shape(() =>
  z.object({ received: z.literal(true), duplicate: z.boolean() }).meta({ id: "PaymentEventReceived" }),
);

/** One value of two names; two different ones are refused. */
export function oneOf<Value>(first: Value | undefined, second: Value | undefined, name: string): Value | undefined {
  if (first !== undefined && second !== undefined && first !== second)
    throw new Problem("validation-failed", { detail: `${name}: the two names of it have different values.` });
  return first ?? second;
}

export function chosenPlan(body: Output<typeof changeBody>) {
  const plan = oneOf(body.plan, body.plan_name, "plan");
  if (plan === undefined) throw new Problem("validation-failed", { detail: "plan: one of the plans is wanted." });
  return { plan, interval: oneOf(body.interval, body.billing_interval, "interval") };
}
