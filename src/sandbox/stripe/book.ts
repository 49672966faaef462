/**
 * Everything the simulated Stripe knows of one customer, as one value: an act changes it in memory and it is written as a whole, so that a
 * customer is never half changed. Times are seconds and amounts hundredths, as on Stripe's wire.
 */

export type Metadata = Record<string, string>;

export interface Price {
  id: string;
  object: "price";
  active: boolean;
  billing_scheme: "per_unit";
  created: number;
  currency: string;
  livemode: false;
  lookup_key: string | null;
  metadata: Metadata;
  product: string;
  recurring: { interval: "month" | "year"; interval_count: 1; usage_type: "licensed" };
  type: "recurring";
  unit_amount: number;
}

export interface Product {
  id: string;
  object: "product";
  active: boolean;
  created: number;
  livemode: false;
  metadata: Metadata;
  name: string;
}

export interface Catalog {
  products: Product[];
  prices: Price[];
}

/** How a card behaves: it pays, the bank refuses it at once, or it is taken once and refuses each later payment. */
export type CardBehaviour = "pays" | "declined" | "fails-later";

export interface PaymentMethod {
  id: string;
  object: "payment_method";
  type: "card";
  card: { brand: string; last4: string; exp_month: number; exp_year: number; funding: "credit" };
  created: number;
  customer: string;
  livemode: false;
}

export interface Customer {
  id: string;
  object: "customer";
  created: number;
  currency: "usd";
  email: string | null;
  invoice_settings: { default_payment_method: string | null };
  livemode: false;
  metadata: Metadata;
  name: string | null;
  test_clock: string;
}

export type SubscriptionStatus = "trialing" | "active" | "past_due" | "canceled";

export interface Subscription {
  id: string;
  object: "subscription";
  status: SubscriptionStatus;
  /** The moment whose day of the month every period begins on. */
  billing_cycle_anchor: number;
  cancel_at_period_end: boolean;
  canceled_at: number | null;
  created: number;
  currency: "usd";
  customer: string;
  ended_at: number | null;
  items: { object: "list"; data: [SubscriptionItem]; has_more: false; url: string };
  latest_invoice: string | null;
  livemode: false;
  metadata: Metadata;
  schedule: string | null;
  start_date: number;
  trial_start: number | null;
  trial_end: number | null;
}

export interface SubscriptionItem {
  id: string;
  object: "subscription_item";
  created: number;
  current_period_start: number;
  current_period_end: number;
  metadata: Metadata;
  price: Price;
  quantity: 1;
  subscription: string;
}

export interface Phase {
  items: { price: string; quantity: number }[];
  start_date: number;
  end_date: number;
  trial_end: number | null;
  metadata: Metadata;
}

export interface Schedule {
  id: string;
  object: "subscription_schedule";
  status: "active" | "released" | "canceled";
  created: number;
  current_phase: { start_date: number; end_date: number } | null;
  customer: string;
  end_behavior: string;
  livemode: false;
  phases: Phase[];
  released_subscription: string | null;
  subscription: string | null;
}

export interface Invoice {
  id: string;
  object: "invoice";
  amount_due: number;
  amount_paid: number;
  amount_remaining: number;
  attempt_count: number;
  attempted: boolean;
  billing_reason: string;
  created: number;
  currency: "usd";
  customer: string;
  hosted_invoice_url: string;
  invoice_pdf: null;
  lines: { object: "list"; data: InvoiceLine[]; has_more: false; url: string };
  livemode: false;
  number: string;
  parent: { type: "subscription_details"; subscription_details: { subscription: string; metadata: Metadata } };
  period_start: number;
  period_end: number;
  status: "open" | "paid" | "void";
  status_transitions: { finalized_at: number; paid_at: number | null; voided_at: number | null };
  total: number;
}

export interface InvoiceLine {
  id: string;
  object: "line_item";
  amount: number;
  currency: "usd";
  description: string;
  period: { start: number; end: number };
}

/** Money that goes back for a paid invoice. */
export interface CreditNote {
  id: string;
  object: "credit_note";
  amount: number;
  created: number;
  currency: "usd";
  customer: string;
  invoice: string;
  livemode: false;
  metadata: Metadata;
  refund_amount: number;
  status: "issued";
}

export interface Session {
  id: string;
  object: "checkout.session";
  status: "open" | "complete" | "expired";
  payment_status: "paid" | "unpaid" | "no_payment_required";
  cancel_url: string;
  client_reference_id: string | null;
  created: number;
  customer: string;
  expires_at: number;
  livemode: false;
  metadata: Metadata;
  mode: "subscription";
  subscription: string | null;
  success_url: string;
  url: string | null;
}

/** What a session remembers beside what Stripe shows of it. */
export interface SessionPlan {
  price: Price;
  trialDays: number;
  metadata: Metadata;
}

export interface Portal {
  id: string;
  created: number;
  return_url: string;
}

export interface Book {
  customer: Customer;
  subscriptions: Subscription[];
  schedules: Schedule[];
  invoices: Invoice[];
  /** Missing in books that were written before there were any. */
  creditNotes?: CreditNote[];
  sessions: Session[];
  plans: Record<string, SessionPlan>;
  paymentMethods: PaymentMethod[];
  behaviours: Record<string, CardBehaviour>;
  portals: Portal[];
  /** Subscriptions whose end of trial was announced. */
  announced: string[];
  /** The customer's clock is so many seconds ahead. */
  aheadSeconds: number;
  serial: number;
}

export interface WireEvent {
  id: string;
  object: "event";
  api_version: string;
  created: number;
  data: { object: unknown };
  livemode: false;
  pending_webhooks: number;
  request: { id: null; idempotency_key: string | null };
  type: string;
}

/** A book that is being changed, at a moment of the customer's own clock. */
export interface Work {
  book: Book;
  catalog: Catalog;
  at: number;
  baseUrl: string;
  events: WireEvent[];
}

export const apiVersion = "2026-10-28.endive";
const suffixLength = 14;

/** All ids of a customer's things begin with the customer's own characters, so that each leads to its book. */
export function newId(work: Work, prefix: string): string {
  work.book.serial += 1;
  return `${prefix}_${work.book.customer.id.slice("cus_".length)}${work.book.serial.toString(36).padStart(6, "0")}`;
}

/** The customer whose thing has this id; null for what cannot be an id of ours. */
export function customerOf(id: string): string | null {
  const match = /^[a-z]+(?:_test)?_([A-Za-z0-9]{14})/.exec(id);
  return match?.[1]?.length === suffixLength ? `cus_${match[1]}` : null;
}

export function emit(work: Work, type: string, object: object): void {
  work.events.push({
    id: newId(work, "evt"),
    object: "event",
    api_version: apiVersion,
    created: work.at,
    data: { object: structuredClone(object) },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
  });
}
