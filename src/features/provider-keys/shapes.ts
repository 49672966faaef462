/** What clients see of the keys that they brought: enough to know one again, never the key. */
import * as z from "zod";
import { pageOf, pageQuery } from "#core/page";
import { type Output, shape } from "#core/shape";

const provider = () =>
  z
    .string()
    .trim()
    .toLowerCase()
    .regex(/^[a-z][a-z0-9-]{1,39}$/, "is not the name of a provider")
    .refine((name) => name !== "sandbox", "is the simulator, which needs no key")
    .meta({
      description:
        "openai, anthropic, elevenlabs, a name of GET /v1/llm/providers, or one of your own with its baseUrl.",
      example: "openai",
    });
const key = () =>
  z
    .string()
    .trim()
    .regex(/^[\x21-\x7e]{8,500}$/, "is not a key: 8 to 500 printable ASCII characters without spaces")
    .meta({ description: "The provider's key. It is checked by a call, stored in an envelope and never shown again." });
const name = () => z.string().trim().min(1).max(100);
const baseUrl = () =>
  z.string().max(2_048).nullable().meta({
    description:
      "Of an OpenAI-compatible provider: what stands before /chat/completions. https, a public host, port 443.",
    example: "https://llm.example.com/v1",
  });

export const providerKeyParams = shape(() =>
  z.object({
    id: z.string().max(64).meta({ description: "The key's id, or the provider's name for the one that is in use." }),
  }),
);

export const providerKeyQuery = shape(() => pageQuery().extend({ provider: z.string().max(40).optional() }));
export const providerKeyUsageQuery = shape(() =>
  z.object({ days: z.coerce.number().int().min(1).max(90).default(30) }),
);

export const createProviderKeyBody = shape(() =>
  z
    .strictObject({
      provider: provider(),
      key: key(),
      name: name().default("default"),
      baseUrl: baseUrl().optional(),
      replace: z.boolean().default(false).meta({ description: "Take the place of the key of the same name." }),
    })
    .meta({ id: "ProviderKeyCreate" }),
);

export const validateProviderKeyBody = shape(() =>
  z
    .strictObject({ provider: provider(), key: key(), baseUrl: baseUrl().optional() })
    .meta({ id: "ProviderKeyValidate" }),
);

export const changeProviderKeyBody = shape(() =>
  z
    .strictObject({ name: name(), key: key(), baseUrl: baseUrl(), enabled: z.boolean() })
    .partial()
    .refine((body) => Object.keys(body).length > 0, "at least one member")
    .refine((body) => body.baseUrl === undefined || body.key !== undefined, {
      message: "an address is changed together with the key only",
      path: ["baseUrl"],
    })
    .meta({ id: "ProviderKeyChange" }),
);

export type CreateProviderKey = Output<typeof createProviderKeyBody>;
export type ValidateProviderKey = Output<typeof validateProviderKeyBody>;
export type ChangeProviderKey = Output<typeof changeProviderKeyBody>;
export type ProviderKeyUsageQuery = Output<typeof providerKeyUsageQuery>;

export const providerKeyShape = shape(() =>
  z
    .object({
      id: z.string(),
      provider: z.string(),
      name: z.string(),
      mode: z.enum(["live", "test"]),
      baseUrl: z.string().nullable(),
      preview: z.string().meta({ description: "The first four characters.", example: "sk-p********" }),
      enabled: z.boolean(),
      valid: z.boolean().meta({ description: "What the last check found." }),
      usageCount: z.number().int(),
      checkedAt: z.string(),
      lastUsedAt: z.string().nullable(),
      createdAt: z.string(),
      updatedAt: z.string(),
    })
    .meta({ id: "ProviderKey" }),
);

export const providerKeyPage = pageOf(providerKeyShape, "ProviderKeyPage");

const checkedMembers = () => ({
  provider: z.string(),
  valid: z.boolean(),
  verdict: z.enum(["accepted", "refused", "unknown"]).meta({ description: "unknown: the provider did not say." }),
  status: z.number().int().nullable().meta({ description: "The provider's HTTP status; null: no answer." }),
  checkedAt: z.string(),
});

export const validatedProviderKeyShape = shape(() => z.object(checkedMembers()).meta({ id: "ProviderKeyValidated" }));
export const testedProviderKeyShape = shape(() =>
  z.object({ id: z.string(), ...checkedMembers() }).meta({ id: "ProviderKeyTested" }),
);

const figures = () => ({
  calls: z.number().int(),
  errors: z.number().int(),
  tokens: z.number().int(),
  costMicroUsd: z.number().int().meta({ description: "At list prices; the provider charges you, not we." }),
  averageMs: z.number().int().nullable(),
});

export const providerKeyUsageShape = shape(() =>
  z
    .object({
      keyId: z.string(),
      provider: z.string(),
      totalCalls: z.number().int(),
      totalTokens: z.number().int(),
      totalCost: z.number().meta({ description: "US dollars, at list prices." }),
      totalCostMicroUsd: z.number().int(),
      errorCount: z.number().int(),
      successRate: z.number().nullable().meta({ description: "0 to 1; null: no calls." }),
      lastUsed: z.string().nullable(),
      lastError: z.string().nullable().meta({ description: "Of the days shown." }),
      from: z.string(),
      to: z.string(),
      items: z.array(z.object({ day: z.string(), ...figures() })),
      endpoints: z.array(z.object({ endpoint: z.string(), ...figures() })),
    })
    .meta({ id: "ProviderKeyUsage" }),
);
