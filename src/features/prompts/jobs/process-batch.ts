/** The tasks of a batch, run by a queue; `run-batch.ts` says how a run that dies is taken up. */
import * as z from "zod";
import { defineJob } from "#core/job";
import { giveUp, runBatch } from "../run-batch.ts";

export const processBatch = defineJob({
  name: "prompts.process-batch",
  lane: "transcription",
  listed: true,
  payload: () => z.object({ batchId: z.string() }),
  // Runs that only continue count as well: six of them do 50 tasks of a minute.
  attempts: 12,
  run: (ctx, { batchId }) => runBatch(ctx, batchId),
  abandon: (ctx, { batchId }) => giveUp(ctx, batchId),
});
