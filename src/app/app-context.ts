/** What the composition knows beside the context of features: bindings, the database session, and what the answer has to say. */
import type { Ctx } from "#core/context";
import type { Bindings } from "#core/env";
import type { Limit } from "#core/limits";
import type { Taken } from "#durable/rate-limiter/client";

export interface Execution {
  waitUntil(work: Promise<unknown>): void;
}

/** How ids are made under an idempotency key: as a function of it. */
export interface IdSource {
  seed: string;
  createdAt: number;
  next: number;
}

/** The strictest of the limits that a request took from. */
export interface RateLimitState {
  shown: { limit: Limit; taken: Taken } | null;
}

export interface AppCtx extends Ctx {
  env: Bindings;
  execution: Execution;
  session: D1DatabaseSession;
  rateLimit: RateLimitState;
  idSource: IdSource | null;
  /** Problems of this request leave in the shape of this company's clients. */
  errors: "openai" | "companion" | null;
}
