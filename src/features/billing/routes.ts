/** /v1/subscriptions: plans, buying one, changing it, and what was paid. */
import { endpoint } from "#core/endpoint";
import { pageQuery } from "#core/page";
import { comparePlans, listPlans } from "./catalogue.ts";
import { startCheckout } from "./checkout.ts";
import { receiveEvent } from "./events.ts";
import * as service from "./service.ts";
import {
  cancelBody,
  changeBody,
  changedShape,
  checkoutBody,
  checkoutShape,
  chosenPlan,
  comparisonShape,
  currentShape,
  invoicePage,
  oneOf,
  optionsShape,
  paymentEventShape,
  paymentMethodsShape,
  plansShape,
  planUsageShape,
  portalBody,
  portalShape,
  receivedShape,
} from "./shapes.ts";
import { standing } from "./standing.ts";
import { listInvoices, listPaymentMethods } from "./statements.ts";
import { usageOfPlan } from "./usage.ts";

const paying = ["billing-not-configured", "billing-unavailable", "billing-refused"] as const;

export const routes = [
  endpoint({
    name: "listPlans",
    method: "get",
    path: "/v1/subscriptions/plans",
    summary: "The plans, what they cost and what they allow",
    access: "public",
    limit: "open",
    returns: plansShape,
    handle: (ctx) => listPlans(ctx),
  }),
  endpoint({
    name: "comparePlans",
    method: "get",
    path: "/v1/subscriptions/plans/compare",
    summary: "The limits of all plans side by side",
    access: "public",
    limit: "open",
    returns: comparisonShape,
    handle: () => comparePlans(),
  }),
  endpoint({
    name: "getCurrentSubscription",
    method: "get",
    path: "/v1/subscriptions/current",
    summary: "The workspace's plan, what pays for it, and what is used of it",
    access: "usage:read",
    returns: currentShape,
    handle: async (ctx) => ({ ...(await standing(ctx)), ...(await usageOfPlan(ctx)) }),
  }),
  endpoint({
    name: "getPlanUsage",
    method: "get",
    path: "/v1/subscriptions/usage",
    summary: "What is used of the plan in this period",
    access: "usage:read",
    returns: planUsageShape,
    handle: async (ctx) => {
      const { tier, plan } = await standing(ctx);
      return { tier, plan, ...(await usageOfPlan(ctx)) };
    },
  }),
  endpoint({
    name: "listUpgradeOptions",
    method: "get",
    path: "/v1/subscriptions/upgrade-options",
    summary: "What the workspace could change to, and what it would cost",
    access: "billing:read",
    returns: optionsShape,
    handle: (ctx) => service.upgradeOptions(ctx),
  }),
  endpoint({
    name: "startCheckout",
    method: "post",
    path: "/v1/subscriptions/checkout",
    summary: "Open a page on which a plan is paid",
    description:
      "The page belongs to the workspace's own customer. The plan counts from the moment the payment is confirmed, not from the return of the browser. A workspace has one open page: asking again for the same answers with that one, asking for another plan closes it.",
    access: "billing:write",
    idempotent: true,
    body: checkoutBody,
    returns: checkoutShape,
    problems: [...paying, "not-an-upgrade", "subscription-exists", "checkout-under-way", "return-url-not-allowed"],
    handle: (ctx, { body }) => {
      const { plan, interval } = chosenPlan(body);
      return startCheckout(ctx, {
        plan,
        interval: interval ?? "month",
        successUrl: oneOf(body.success_url, body.successUrl, "success_url"),
        cancelUrl: oneOf(body.cancel_url, body.cancelUrl, "cancel_url"),
      });
    },
  }),
  endpoint({
    name: "openBillingPortal",
    method: "post",
    path: "/v1/subscriptions/portal",
    summary: "Open the page on which cards and the subscription are managed",
    access: "billing:write",
    body: portalBody,
    bodyOptional: true,
    returns: portalShape,
    problems: [...paying, "return-url-not-allowed"],
    handle: (ctx, { body }) => service.openPortal(ctx, oneOf(body.return_url, body.returnUrl, "return_url")),
  }),
  endpoint({
    name: "upgradeSubscription",
    method: "post",
    path: "/v1/subscriptions/upgrade",
    summary: "Change to a higher plan now",
    description:
      "The difference for the rest of the period is charged at once; a payment that is declined changes nothing.",
    access: "billing:write",
    idempotent: true,
    body: changeBody,
    returns: changedShape,
    problems: [...paying, "subscription-required", "not-an-upgrade", "payment-declined"],
    handle: async (ctx, { body }) => {
      await service.upgrade(ctx, chosenPlan(body));
      return { message: "The plan was changed.", ...(await standing(ctx)) };
    },
  }),
  endpoint({
    name: "downgradeSubscription",
    method: "post",
    path: "/v1/subscriptions/downgrade",
    summary: "Change to a lower plan at the end of the paid period",
    description: "Stored files above the lower limit stay readable; nothing new is taken until there is room.",
    access: "billing:write",
    idempotent: true,
    body: changeBody,
    returns: changedShape,
    problems: [...paying, "subscription-required", "not-a-downgrade", "downgrade-below-use"],
    handle: async (ctx, { body }) => {
      await service.downgrade(ctx, chosenPlan(body));
      return { message: "The plan changes at the end of the period.", ...(await standing(ctx)) };
    },
  }),
  endpoint({
    name: "cancelSubscription",
    method: "post",
    path: "/v1/subscriptions/cancel",
    summary: "Cancel the subscription at the end of the paid period",
    access: "billing:write",
    idempotent: true,
    body: cancelBody,
    bodyOptional: true,
    returns: changedShape,
    problems: [...paying, "subscription-required"],
    handle: async (ctx) => {
      await service.cancel(ctx);
      return { message: "The subscription ends with the period.", ...(await standing(ctx)) };
    },
  }),
  endpoint({
    name: "listPaymentMethods",
    method: "get",
    path: "/v1/subscriptions/payment-methods",
    summary: "The cards and accounts that pay",
    access: "billing:read",
    returns: paymentMethodsShape,
    problems: paying,
    handle: (ctx) => listPaymentMethods(ctx),
  }),
  endpoint({
    name: "listInvoices",
    method: "get",
    path: "/v1/subscriptions/invoices",
    summary: "Invoices, newest first",
    access: "billing:read",
    query: pageQuery,
    returns: invoicePage,
    problems: [...paying, "invalid-cursor"],
    handle: (ctx, { query }) => listInvoices(ctx, query),
  }),
  endpoint({
    name: "receivePaymentEvent",
    method: "post",
    path: "/v1/subscriptions/webhooks/stripe",
    summary: "Stripe's events",
    description:
      "Signed over the raw body, at most 300 s old. An event only says that something changed: the subscription is read from Stripe, so that order and repetition do not matter.",
    access: "public",
    consumes: { "application/json": paymentEventShape },
    returns: receivedShape,
    problems: ["payment-event-unsigned", "billing-not-configured"],
    handle: (ctx, { request }) => receiveEvent(ctx, request),
  }),
];
