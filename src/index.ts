/** The Worker: three entrances, and the Durable Object classes that the platform instantiates. */
import { tick } from "#app/cron";
import { consume } from "#app/queue";
import { fetchWithAliases } from "#app/legacy";
import { registerJobs } from "#app/run-job";
import { features } from "#app/features";
import type { Bindings } from "#core/env";

export { Gate, Hasher, Ledger, RateLimiter, SessionStore, StreamBuffer } from "#durable/index";

registerJobs(features.flatMap((feature) => feature.jobs ?? []));

export default {
  fetch: fetchWithAliases,
  queue: consume,
  scheduled: tick,
} satisfies ExportedHandler<Bindings>;
