/** The consumer of all queues. Each message stands alone: one that fails never takes its batch along. */
import * as z from "zod";
import type { Bindings } from "#core/env";
import type { LogFields } from "#core/log";
import { shape } from "#core/shape";
import { writeEntries } from "#features/message-logs/service";
import { messageEntries } from "#features/message-logs/shapes";
import { deliverUsage } from "#features/usage/service";
import { makeContext } from "./context.ts";
import { buryJob, runJob } from "./run-job.ts";

const messageShape = shape(() =>
  z.union([
    z.object({ v: z.literal(1), jobId: z.string().min(1).max(64) }),
    z.object({ v: z.literal(1), ledger: z.string().min(1).max(64) }),
    z.object({ v: z.literal(1), messageLogs: messageEntries() }),
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
      else if ("messageLogs" in read.data) await writeEntries(ctx, read.data.messageLogs);
      // The ledger announces itself again until it is heard, so a message that ended among the dead letters needs no second try.
      else if (batch.queue !== deadLetters) await deliverUsage(ctx, read.data.ledger);
      message.ack();
    } catch (error) {
      ctx.log("error", "queue.message-failed", {
        queue: batch.queue,
        ...aboutOf(read.data),
        attempts: message.attempts,
        error,
      });
      message.retry({ delaySeconds: Math.min(60, 2 ** message.attempts) });
    }
  }
}

function aboutOf(message: z.infer<ReturnType<typeof messageShape>>): LogFields {
  if ("jobId" in message) return { jobId: message.jobId };
  return "ledger" in message ? { ledger: message.ledger } : { entries: message.messageLogs.length };
}
