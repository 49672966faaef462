/** Paths of plans, subscriptions and billing in system C. */
import type { Alias } from "../legacy-paths.ts";

const same = (method: Alias["method"], path: string): Alias => ({
  system: "C",
  method,
  from: `/subscriptions/${path}`,
  to: `/v1/subscriptions/${path}`,
});

const portal = (from: string): Alias => ({
  system: "C",
  method: "POST",
  from,
  to: "/v1/subscriptions/portal",
  answer: "changedPlan",
});

const change = (method: Alias["method"], act: "upgrade" | "downgrade" | "cancel"): Alias => ({
  ...same(method, act),
  toMethod: "POST",
  answer: "changedPlan",
});

export const subscriptions: Alias[] = [
  { ...same("GET", "plans"), answer: "barePlans" },
  same("GET", "plans/compare"),
  same("GET", "current"),
  same("GET", "usage"),
  same("GET", "upgrade-options"),
  same("GET", "payment-methods"),
  same("GET", "invoices"),
  same("POST", "checkout"),
  { ...same("POST", "subscribe"), to: "/v1/subscriptions/checkout", answer: "subscribed" },
  change("PUT", "upgrade"),
  change("POST", "upgrade"),
  change("PUT", "downgrade"),
  change("POST", "downgrade"),
  change("POST", "cancel"),
  portal("/subscriptions/portal"),
  portal("/subscriptions/billing-portal"),
  portal("/subscriptions/manage"),
  portal("/billing/portal"),
  portal("/billing/manage"),
];
