/** Builds the one context of HTTP requests, queue messages, cron ticks and jobs. The only place that turns bindings into abilities. */
import { createHash } from "node:crypto";
import { drizzle } from "drizzle-orm/d1";
import { makeMailer } from "#adapters/mail/mailer";
import { outboundOf } from "#adapters/outbound";
import type { Ctx, Origin } from "#core/context";
import { type Bindings, queueOf, readSettings } from "#core/env";
import { makeId } from "#core/ids";
import { openLimits } from "#core/limits";
import { platformLog } from "#core/log";
import { networkOf } from "#lib/network-address";
import type { AppCtx, Execution } from "./app-context.ts";
import { randomBytes } from "./random.ts";
import { takeLimits } from "./rate-limits.ts";
import { runJob } from "./run-job.ts";
import { withSandbox } from "./sandbox.ts";
import { keepingLog } from "./system-log.ts";

interface Occasion {
  origin?: Origin;
  requestId?: string;
  /** D1 Sessions: a bookmark of the client, or where reads may go. */
  consistency?: string;
}

const nowhere: Origin = { address: "", userAgent: "" };

export function makeContext(env: Bindings, execution: Execution, occasion: Occasion = {}): AppCtx {
  const settings = readSettings(env);
  const outside = withSandbox(outboundOf(settings), () => ctx);
  const session = env.DB.withSession(occasion.consistency ?? "first-primary");
  const now = () => Date.now();
  const requestId = occasion.requestId ?? makeId("request", now(), randomBytes(16));
  const ctx: AppCtx = {
    env,
    execution,
    session,
    settings,
    // The session has the two methods that the driver calls (prepare, batch); its type does not say so yet.
    db: drizzle(session as unknown as D1Database),
    files: env.FILES,
    objects: env,
    requestId,
    origin: occasion.origin ?? nowhere,
    actor: { kind: "anonymous" },
    isReplay: false,
    rateLimit: { shown: null },
    idSource: null,
    errors: null,
    now,
    random: randomBytes,
    newId: (kind) => {
      const source = ctx.idSource;
      if (!source) return makeId(kind, now(), randomBytes(16));
      source.next += 1;
      return makeId(kind, source.createdAt, createHash("sha256").update(`${source.seed}\n${source.next}`).digest());
    },
    log: keepingLog(platformLog({ requestId }), () => ctx),
    outbound: outside,
    mailer: makeMailer({ mail: settings.mail, outbound: outside, binding: env.EMAIL }),
    later: (work) => execution.waitUntil(work.catch((error: unknown) => ctx.log("error", "later.failed", { error }))),
    offer: (message) => offer(ctx, message),
    tell: async (message) => {
      await env.DELIVERY_QUEUE.send(message);
    },
    runNow: (jobId) => runJob(ctx, jobId).then(() => undefined),
    takeLimit: (limit, principal) => takeLimits(ctx, [{ limit, cost: 1 }], principal),
    takeLimits: (charges, principal) => takeLimits(ctx, charges, principal),
    takeOpenLimit: (name) => ctx.takeLimit(openLimits[name], `address:${networkOf(ctx.origin.address)}`),
  };
  return ctx;
}

/** The longest that a queue holds a message back; what is due later is offered by the sweeper. */
const maxDelaySeconds = 43_200;

async function offer(ctx: AppCtx, message: Parameters<Ctx["offer"]>[0]): Promise<void> {
  if ((message.delaySeconds ?? 0) > maxDelaySeconds) return;
  try {
    await queueOf(ctx.env, message.lane).send(
      { v: 1, jobId: message.jobId },
      { delaySeconds: message.delaySeconds ?? 0 },
    );
  } catch (error) {
    // The row is committed: the sweeper offers it again. Failing the request now would invite a second one.
    ctx.log("warn", "queue.send-failed", { jobId: message.jobId, error });
  }
}
