/** What billing asks of a company that takes payments. Amounts are millionths of the currency's unit, times milliseconds. */
import type { BillingInterval, PaidPlan, PlanPrice } from "#core/plan-prices";

/** `incomplete`: the first payment has not been made. `unpaid`: the company has given up collecting, but the contract stands. */
export const subscriptionStates = ["trialing", "active", "past-due", "unpaid", "incomplete", "ended"] as const;
export type SubscriptionState = (typeof subscriptionStates)[number];

export interface Subscribed {
  id: string;
  customerId: string;
  /** Null when the company sells something under this subscription that is not a plan of ours. */
  plan: PaidPlan | null;
  interval: BillingInterval;
  state: SubscriptionState;
  createdAt: number;
  periodStartsAt: number;
  periodEndsAt: number;
  cancelAtPeriodEnd: boolean;
  trialStartedAt: number | null;
  trialEndsAt: number | null;
  /** Since when an invoice waits to be paid, while the state is `past-due`. */
  overdueSince: number | null;
  pending: { plan: PaidPlan; interval: BillingInterval; at: number } | null;
  scheduleId: string | null;
  itemId: string;
}

export interface Invoice {
  id: string;
  customerId: string;
  number: string | null;
  status: "draft" | "open" | "paid" | "void" | "uncollectible";
  amountDueMicroUsd: number;
  amountPaidMicroUsd: number;
  currency: string;
  attempts: number;
  periodStartsAt: number;
  periodEndsAt: number;
  createdAt: number;
  paidAt: number | null;
  hostedUrl: string | null;
  pdfUrl: string | null;
}

export interface PaymentMethod {
  id: string;
  kind: string;
  brand: string | null;
  lastFour: string | null;
  expiryMonth: number | null;
  expiryYear: number | null;
  isDefault: boolean;
}

/** A hint that something changed, never what it changed to. */
export interface PaymentEvent {
  id: string;
  type: string;
  createdAt: number;
  customerId: string | null;
  invoiceId: string | null;
}

export interface CheckoutRequest {
  workspaceId: string;
  customerId: string;
  price: PlanPrice;
  trialDays: number;
  successUrl: string;
  cancelUrl: string;
  /** The same key never opens a second page, whatever else is asked for under it. */
  idempotencyKey: string;
}

/** A page to pay on. `offer` names what is sold on it and where it leads: two pages with the same offer are interchangeable. */
export interface Checkout {
  id: string;
  url: string;
  expiresAt: number;
  state: "open" | "paid" | "ended";
  offer: string | null;
}

/**
 * Every call has a time-out and throws `Problem`: `billing-unavailable` when the outcome is unknown, `payment-declined` when the bank
 * said no, `billing-refused` when the company refuses the request itself. None of their words reach the caller.
 */
export interface Payments {
  provider: "stripe" | "sandbox";
  /** The same workspace always gets the same customer, however often and however parallel it is asked for. */
  createCustomer(request: { workspaceId: string; email: string; name: string }): Promise<string>;
  /** `used`: the key was spent already, on this offer or on another, and nothing was made now. */
  startCheckout(request: CheckoutRequest): Promise<Checkout | "used">;
  /** The name that the page of a request carries, before it is made. */
  offerOf(request: Omit<CheckoutRequest, "idempotencyKey">): string;
  findCheckout(id: string): Promise<Checkout | null>;
  /** Every page on which the customer could pay now, at most 100. */
  openCheckoutsOf(customerId: string): Promise<Checkout[]>;
  /** Harmless when the page has ended. */
  endCheckout(id: string): Promise<void>;
  openPortal(request: { customerId: string; returnUrl: string }): Promise<string>;
  /** Newest first, ended ones included, at most 20. */
  subscriptionsOf(customerId: string): Promise<Subscribed[]>;
  /** At once, the difference charged now; a refused payment changes nothing. The same key charges once, and is refused for another price. */
  changeNow(subscribed: Subscribed, price: PlanPrice, idempotencyKey: string): Promise<void>;
  changeAtPeriodEnd(subscribed: Subscribed, price: PlanPrice): Promise<void>;
  cancelAtPeriodEnd(subscribed: Subscribed): Promise<void>;
  /** At once; what was paid for the time after `refundFrom` goes back to whoever paid it, once. Harmless when it has ended. */
  cancelNow(subscribed: Subscribed, options: { refundFrom: number | null }): Promise<void>;
  invoicesOf(
    customerId: string,
    page: { limit: number; after: string | null },
  ): Promise<{ items: Invoice[]; hasMore: boolean }>;
  findInvoice(id: string): Promise<Invoice | null>;
  paymentMethodsOf(customerId: string): Promise<PaymentMethod[]>;
  /** Checks the signature over the raw body and its age (300 s); null when it does not hold. */
  readEvent(rawBody: string, signature: string): Promise<PaymentEvent | null>;
}
