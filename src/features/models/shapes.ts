/** What callers see of models, providers and prices. */
import * as z from "zod";
import { capabilities, dialects } from "#adapters/llm/contract";
import { shape } from "#core/shape";
import { healthStates } from "./health.ts";

const time = () => z.string().nullable();
const price = () => z.number().int().min(0);

export const priceMembers = () => ({
  inputMicroUsdPerMillion: price(),
  cachedInputMicroUsdPerMillion: price(),
  outputMicroUsdPerMillion: price(),
});

/** Too long an id is an unknown model, in OpenAI's words, rather than an invalid parameter. */
export const modelParams = shape(() =>
  z.object({ model: z.string().meta({ description: "May hold slashes.", example: "gpt-4o-mini" }) }),
);

export const modelShape = shape(() =>
  z
    .object({
      id: z.string(),
      object: z.literal("model"),
      created: z.number().int().meta({ description: "Unix time in seconds at which the product came to know it." }),
      owned_by: z.string(),
      name: z.string(),
      provider: z.string().meta({ description: "The one that is asked first." }),
      context_length: z.number().int(),
      max_output_tokens: z.number().int().meta({ description: "0: it answers with something else than text." }),
      capabilities: z.array(z.enum(capabilities)),
      pricing: z.object({ currency: z.literal("usd"), ...priceMembers() }),
    })
    .meta({ id: "Model" }),
);

export const modelListShape = shape(() =>
  z.object({ object: z.literal("list"), data: z.array(modelShape()) }).meta({ id: "ModelList" }),
);

export const providerListShape = shape(() =>
  z
    .object({
      mode: z.enum(["live", "test"]),
      providers: z.array(
        z.object({
          name: z.string(),
          displayName: z.string(),
          dialect: z.enum(dialects),
          prefix: z.string().nullable().meta({ description: "Before a model's name it asks for this provider." }),
          enabled: z.boolean(),
          configured: z.boolean().meta({ description: "Can be used by this workspace now." }),
          source: z.enum(["operator", "own-key", "sandbox"]).nullable(),
          models: z.array(z.string()).meta({ description: "Of the catalogue." }),
        }),
      ),
    })
    .meta({ id: "ModelProviderList" }),
);

export const healthShape = shape(() =>
  z
    .object({
      status: z.enum(["healthy", "degraded", "unhealthy"]),
      checkedAt: z.string(),
      providers: z.array(
        z.object({
          name: z.string(),
          state: z.enum([...healthStates, "not-configured"]).meta({
            description: "From the calls that were made lately; unknown: none was.",
          }),
          calls: z.number().int().meta({ description: "Today, as all other figures." }),
          failures: z.number().int(),
          averageMs: z.number().int().nullable(),
          lastSuccessAt: time(),
          lastFailureAt: time(),
        }),
      ),
    })
    .meta({ id: "ModelHealth" }),
);

export const pricingParams = shape(() =>
  z.object({
    provider: z.string().max(40),
    model: z.string().max(300).meta({ description: "The provider's name of the model; may hold slashes." }),
  }),
);

export const pricingShape = shape(() =>
  z
    .object({
      provider: z.string(),
      model: z.string(),
      currency: z.literal("usd"),
      ...priceMembers(),
      input_cost_per_1k: z.number().meta({ description: "US dollars for 1,000 tokens." }),
      output_cost_per_1k: z.number(),
      source: z.enum(["override", "catalogue", "default"]),
      effectiveAt: time(),
    })
    .meta({ id: "ModelPricing" }),
);
