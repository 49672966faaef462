/** The consumer of all queues. Each message stands alone: one that fails never takes its batch along. */
import * as z from "zod";
import type { Bindings } from "#core/env";
import { shape } from "#core/shape";
import { makeContext } from "./context.ts";
import { buryJob, runJob } from "./run-job.ts";

const messageShape = shape(() => z.object({ v: z.literal(1), jobId: z.string().min(1).max(64) }));
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
      await handle(ctx, read.data.jobId);
      message.ack();
    } catch (error) {
      ctx.log("error", "queue.message-failed", {
        queue: batch.queue,
        jobId: read.data.jobId,
        attempts: message.attempts,
        error,
      });
      message.retry({ delaySeconds: Math.min(60, 2 ** message.attempts) });
    }
  }
}
