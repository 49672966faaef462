/** /v1/tokens/*: the AI-token meter in system C's words. Looking is free; what a model costs is in the feature of models. */
import { endpoint } from "#core/endpoint";
import { balanceOf, limitsOf } from "./balance.ts";
import { consume, release, reserve } from "./reservations.ts";
import {
  balanceShape,
  consumeBody,
  consumedShape,
  limitsShape,
  releaseBody,
  releasedShape,
  reserveBody,
  reservedShape,
  statsQuery,
  statsShape,
  usageQuery,
  usageShape,
} from "./shapes.ts";
import { statsOf, usageOf } from "./usage.ts";

const reservationProblems = [
  "server-owned-member",
  "token-reservation-not-found",
  "token-reservation-expired",
  "token-reservation-released",
] as const;

export const routes = [
  endpoint({
    name: "getTokenBalance",
    method: "get",
    path: "/v1/tokens/balance",
    summary: "The tokens that you have left",
    description: "The counters that are enforced: of the workspace, and of a sub-user or key with limits of its own.",
    access: "models:use",
    uncounted: true,
    returns: balanceShape,
    handle: (ctx) => balanceOf(ctx),
  }),
  endpoint({
    name: "getTokenLimits",
    method: "get",
    path: "/v1/tokens/limits",
    summary: "All limits on your tokens, money and requests, and how far they are used",
    access: "models:use",
    uncounted: true,
    returns: limitsShape,
    handle: (ctx) => limitsOf(ctx),
  }),
  endpoint({
    name: "getTokenUsage",
    method: "get",
    path: "/v1/tokens/usage",
    summary: "What was asked of models: by day, week, model, provider, and record by record",
    description: "Requests with a live credential. Written a moment after each request, in UTC.",
    access: "usage:read",
    uncounted: true,
    query: usageQuery,
    returns: usageShape,
    handle: (ctx, { query }) => usageOf(ctx, query),
  }),
  endpoint({
    name: "getTokenStats",
    method: "get",
    path: "/v1/tokens/stats",
    summary: "Figures of what was asked of models",
    access: "usage:read",
    uncounted: true,
    query: statsQuery,
    returns: statsShape,
    handle: (ctx, { query }) => statsOf(ctx, query),
  }),
  endpoint({
    name: "reserveTokens",
    method: "post",
    path: "/v1/tokens/reserve",
    summary: "Hold tokens for work that is done elsewhere",
    description:
      "All limits on you are checked together, and parallel callers never overspend one. Consume or release it; else the tokens return when it lapses. With Idempotency-Key a repeated call is one reservation. In test mode nothing is counted.",
    access: "models:use",
    body: reserveBody,
    returns: reservedShape,
    idempotent: true,
    problems: ["server-owned-member", "quota-exceeded", "too-many-token-reservations", "model-not-allowed"],
    handle: (ctx, { body }) => reserve(ctx, body),
  }),
  endpoint({
    name: "consumeTokens",
    method: "post",
    path: "/v1/tokens/consume",
    summary: "Charge what the work came to",
    description:
      "Of a reservation, once: a repeated call answers what the first one charged. What was not used returns. What was used beyond it is charged as far as anything is left, as with a model request that came to more than was foreseen; the rest is `tokens_uncovered`. Without `reservation_id` the tokens are charged at once, or refused as a whole.",
    access: "models:use",
    body: consumeBody,
    returns: consumedShape,
    idempotent: true,
    problems: [...reservationProblems, "quota-exceeded", "model-not-allowed"],
    handle: (ctx, { body }) => consume(ctx, body),
  }),
  endpoint({
    name: "releaseTokens",
    method: "post",
    path: "/v1/tokens/release",
    summary: "Give a reservation back unused",
    description: "A repeated call answers like the first one.",
    access: "models:use",
    body: releaseBody,
    returns: releasedShape,
    idempotent: true,
    problems: [
      "server-owned-member",
      "token-reservation-not-found",
      "token-reservation-expired",
      "token-reservation-consumed",
    ],
    handle: (ctx, { body }) => release(ctx, body.reservation_id),
  }),
];
