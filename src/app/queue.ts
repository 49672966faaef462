/** The consumer of all queues. Each message stands alone: one that fails never takes its batch along. */
import * as z from "zod";
import type { Bindings } from "#core/env";
import { shape } from "#core/shape";
import { deliverUsage } from "#features/usage/service";
import { makeContext } from "./context.ts";
import { buryJob, runJob } from "./run-job.ts";

const messageShape = shape(() =>
  z.union([
    z.object({ v: z.literal(1), jobId: z.string().min(1).max(64) }),
    z.object({ v: z.literal(1), ledger: z.string().min(1).max(64) }),
  ]),
);
const deadLetters = "overtone-dead-letters";

export async function consume(batch: MessageBatch, env: Bindings, execution: ExecutionContext): Promise<void> {
  const handle = batch.queue === deadLetters ? buryJob : runJob;
  for (const message of batch.messages) {
    const ctx = makeContext(env, execution);
    const read = messageShape().safeParse(message.body);
    if (!read.success) {
      ctx.log("error", "queue.message-unreadable", { queue: batch.queue, messageId: message.id });
      message.ack();
      continue;
    }
    try {
      if ("jobId" in read.data) await handle(ctx, read.data.jobId);
      // The ledger announces itself again until it is heard, so a message that ended among the dead letters needs no second try.
      else if (batch.queue !== deadLetters) await deliverUsage(ctx, read.data.ledger);
      message.ack();
    } catch (error) {
      ctx.log("error", "queue.message-failed", {
        queue: batch.queue,
        ...("jobId" in read.data ? { jobId: read.data.jobId } : { ledger: read.data.ledger }),
        attempts: message.attempts,
        error,
      });
      message.retry({ delaySeconds: Math.min(60, 2 ** message.attempts) });
    }
  }
}
