/** As much of OpenAI's responses as is looked at here; every other member goes to the provider as it came. */
import * as z from "zod";
import { shape } from "#core/shape";

/** What would be kept at the provider, in the operator's account, where all workspaces share it. */
const notHere = () => z.null({ error: "Not available here: leave it out." }).optional();

const item = () =>
  z.looseObject({
    type: z
      .string()
      .max(100)
      .refine((type) => type !== "item_reference", "Items are not kept at the provider: send the item itself.")
      .optional(),
    role: z.enum(["user", "assistant", "system", "developer"]).optional(),
    content: z.union([z.string(), z.array(z.looseObject({ type: z.string() })).max(2_000)]).nullish(),
  });

/** Tools of the company's own work on what lies in the operator's account, and are billed beside the tokens. */
const tool = () => z.looseObject({ type: z.enum(["function", "custom"]) });

export const responseBody = shape(() =>
  z
    .looseObject({
      model: z.string().min(1).max(200).meta({ description: "Of GET /v1/models.", example: "gpt-4o-mini" }),
      input: z.union([z.string().min(1), z.array(item()).min(1).max(2_048)]).meta({ example: "Say hello." }),
      instructions: z.string().nullable().optional(),
      previous_response_id: z.string().min(1).max(100).nullable().optional(),
      max_output_tokens: z.number().int().min(1).max(10_000_000).nullable().optional(),
      store: z
        .boolean()
        .nullable()
        .optional()
        .meta({ description: "Kept here for 30 days unless false; the provider keeps nothing." }),
      stream: z.boolean().nullable().optional(),
      tools: z.array(tool()).max(256).nullable().optional(),
      user: z.string().max(512).optional(),
      metadata: z.record(z.string().max(64), z.unknown()).nullable().optional(),
      background: z.literal(false, { error: "Work in the background is not available here." }).nullable().optional(),
      conversation: notHere(),
      prompt: notHere(),
    })
    .meta({ id: "ResponseCreate" }),
);

export const responseParams = shape(() => z.object({ id: z.string().min(1).max(100) }));

export const responseAnswer = shape(() =>
  z
    .looseObject({ id: z.string(), object: z.literal("response"), status: z.string(), output: z.array(z.unknown()) })
    .meta({ id: "ModelResponse", description: "OpenAI's response object." }),
);

export const responseDeleted = shape(() =>
  z
    .object({ id: z.string(), object: z.literal("response"), deleted: z.literal(true) })
    .meta({ id: "ModelResponseDeleted" }),
);

export const itemsQuery = shape(() =>
  z.object({
    limit: z.coerce.number().int().min(1).max(100).default(20),
    order: z.enum(["asc", "desc"]).default("desc"),
    after: z.string().min(1).max(200).optional(),
  }),
);

export const itemsAnswer = shape(() =>
  z
    .object({
      object: z.literal("list"),
      data: z.array(z.record(z.string(), z.unknown())),
      first_id: z.string().nullable(),
      last_id: z.string().nullable(),
      has_more: z.boolean(),
    })
    .meta({ id: "ModelResponseItems" }),
);
