/** The bodies and answers of prompts and batches, in system B's names. */
import * as z from "zod";
import { legacyBody } from "#core/legacy-body";
import { shape } from "#core/shape";
import { promptStyles } from "#features/staff/service";
import { levels } from "./rules.ts";

export const maxTextLength = 50_000;
export const maxTasks = 50;
export const depths = ["basic", "medium", "high"] as const;
export type Depth = (typeof depths)[number];

/** Older clients send null for what they do not set. */
const tuning = () => ({
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullish()
    .meta({ description: "0.7 unless said; no effect at high and ultra." }),
  max_tokens: z.number().int().min(1).max(10_000_000).nullish(),
  top_p: z.number().min(0).max(1).nullish().meta({ description: "No effect at high and ultra." }),
  frequency_penalty: z.number().min(-2).max(2).nullish().meta({ description: "No effect at high and ultra." }),
  presence_penalty: z.number().min(-2).max(2).nullish().meta({ description: "No effect at high and ultra." }),
  stop: z
    .union([z.string().max(1_000), z.array(z.string().max(1_000)).max(4)])
    .nullish()
    .meta({ description: "No effect at high and ultra." }),
});
const level = () =>
  z.enum(levels).meta({ description: "Chooses the model: gpt-4o-mini, gpt-4o, o3-mini or gpt-5.", example: "low" });
const style = () =>
  z.enum(promptStyles).meta({ description: "Whose instructions come first: see GET /v1/admin/system-prompts." });

export const promptBody = shape(() =>
  legacyBody({
    level: level(),
    messages: z
      .array(
        z.object({
          role: z.enum(["system", "user", "assistant"]),
          content: z.string().max(maxTextLength),
        }),
      )
      .min(1)
      .max(1_000)
      .meta({ example: [{ role: "user", content: "Plan a talk about bees." }] }),
    r_type: style().nullish(),
    ai_research: z.boolean().nullish().meta({ description: "Search the web for the last message first." }),
    research_depth: z.enum(depths).nullish(),
    stream: z.boolean().nullish(),
    stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
    ...tuning(),
  }).meta({ id: "PromptCompletionCreate" }),
);
export type PromptBody = z.output<ReturnType<typeof promptBody>>;

const findings = () =>
  z.array(
    z.object({
      topic: z.string(),
      content: z.string(),
      sources: z.array(z.object({ title: z.string(), url: z.string() })),
      confidence: z.number(),
    }),
  );

const research = () =>
  z.object({
    query: z.string(),
    results: findings(),
    total_sources: z.number().int(),
    processing_time_ms: z.number().int(),
  });

export const promptAnswer = shape(() =>
  z
    .looseObject({
      id: z.string(),
      object: z.literal("chat.completion"),
      model: z.string(),
      research: research().optional(),
    })
    .meta({ id: "PromptCompletion", description: "OpenAI's chat completion; with `research` when it was asked for." }),
);

export const batchBody = shape(() =>
  legacyBody({
    batch: z
      .array(
        z.object({
          prompt: z.string().min(1).max(maxTextLength),
          r_type: style().nullish().meta({ description: "`bpe` unless said." }),
          ...tuning(),
        }),
      )
      .min(1)
      .max(maxTasks)
      .meta({ example: [{ prompt: "Write a poem about rain." }] }),
    level: level(),
    enable_research: z.boolean().nullish(),
    research_depth: z.enum(depths).nullish(),
    parallel: z.boolean().nullish().meta({ description: "Ten at a time, which is usual, or one after the other." }),
  }).meta({ id: "PromptBatchCreate" }),
);
export type BatchBody = z.output<ReturnType<typeof batchBody>>;

export const batchParams = shape(() => z.object({ id: z.string().max(100) }));

export const batchAnswer = shape(() =>
  z
    .object({
      batch_id: z.string(),
      status: z.enum(["pending", "processing", "completed", "failed", "cancelled"]),
      job_id: z.string().meta({ description: "See GET /v1/jobs/{id}: progress, cancel." }),
      total_tasks: z.number().int(),
      successful_tasks: z.number().int(),
      failed_tasks: z.number().int(),
      results: z.array(
        z.object({
          task_index: z.number().int().meta({ description: "From 0." }),
          success: z.boolean(),
          response: z.string().nullable(),
          error: z.string().nullable(),
          error_code: z.string().nullable(),
          processing_time_ms: z.number().int(),
          tokens_used: z.number().int(),
        }),
      ),
      total_tokens_used: z.number().int(),
      total_processing_time_ms: z.number().int(),
      created_at: z.string(),
    })
    .meta({ id: "PromptBatch" }),
);
export type BatchAnswer = z.output<ReturnType<typeof batchAnswer>>;
