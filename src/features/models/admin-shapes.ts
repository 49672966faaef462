/** What superadmins see and set of providers, models and prices. A provider's key goes in and is never shown. */
import * as z from "zod";
import { capabilities, dialects } from "#adapters/llm/contract";
import { pageOf, pageQuery } from "#core/page";
import { type Output, shape } from "#core/shape";
import { priceMembers } from "./shapes.ts";

const providerName = () =>
  z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,39}$/, "is not the name of a provider")
    .refine((name) => name !== "sandbox", "is the simulator, which cannot be configured");
const modelId = () => z.string().regex(/^[\x21-\x7e]{1,300}$/, "is not the id of a model");
const text = () => z.string().trim().min(1).max(100);
const baseUrl = () =>
  z
    .string()
    .max(2_048)
    .refine(isBaseUrl, "is not an http or https address without user, query and fragment")
    .transform((url) => url.replace(/\/+$/, ""));

function isBaseUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username + password + search + hash === "";
}

export const changeProviderBody = shape(() =>
  z
    .strictObject({
      name: providerName(),
      enabled: z.boolean().optional(),
      displayName: text().nullable().optional(),
      dialect: z.enum(dialects).nullable().optional(),
      baseUrl: baseUrl().nullable().optional(),
      key: z
        .string()
        .regex(/^[\x21-\x7e]{1,4096}$/, "is not a key")
        .nullable()
        .optional()
        .meta({ description: "Stored in an envelope; null: the one of the environment again." }),
    })
    .meta({ id: "ModelProviderChange" }),
);

export const adminProviderShape = shape(() =>
  z
    .object({
      name: z.string(),
      displayName: z.string(),
      dialect: z.enum(dialects),
      baseUrl: z.string().nullable(),
      prefix: z.string().nullable(),
      isBuiltIn: z.boolean(),
      enabled: z.boolean(),
      configured: z.boolean(),
      keySource: z.enum(["stored", "environment"]).nullable(),
      keyPreview: z.string().nullable().meta({ description: "The first four characters of a stored key." }),
      updatedBy: z.string().nullable(),
      updatedAt: z.string().nullable(),
    })
    .meta({ id: "ModelProviderSetting" }),
);

export const adminProviderList = shape(() =>
  z.object({ items: z.array(adminProviderShape()) }).meta({ id: "ModelProviderSettingList" }),
);

const scalar = () => z.union([z.string().max(200), z.number(), z.boolean()]);
const condition = () =>
  z.strictObject({
    model: modelId().optional().meta({ description: "A pattern with `*` for the id that was asked for." }),
    metadata: z
      .record(z.string().max(64), z.union([scalar(), z.array(scalar()).min(1).max(50)]))
      .refine((members) => Object.keys(members).length <= 20, "at most 20 members")
      .optional()
      .meta({ description: "The request's metadata: a value or one of several; texts may hold `*`." }),
    minBytes: z.number().int().min(0).optional(),
    maxBytes: z.number().int().min(0).optional(),
  });
const target = () =>
  z.strictObject({
    provider: providerName(),
    model: modelId()
      .optional()
      .meta({ description: "The provider's name of it; left out: the id that was asked for." }),
    weight: z.number().min(0).max(1_000_000).default(1).meta({ description: "0: only after all others." }),
  });
const routes = () =>
  z
    .array(z.strictObject({ when: condition().optional(), targets: z.array(target()).min(1).max(8) }))
    .max(20)
    .meta({
      description: "The first one whose condition holds is taken; without any, the model goes where it always goes.",
    });

const overrideMembers = () => ({
  displayName: text().nullable(),
  contextTokens: z.number().int().min(1).max(100_000_000).nullable(),
  maxOutputTokens: z.number().int().min(0).max(100_000_000).nullable(),
  capabilities: z.array(z.enum(capabilities)).min(1).max(capabilities.length).nullable(),
  stickBy: z
    .string()
    .regex(/^(?:user|metadata:[\w.-]{1,64})$/, "is neither `user` nor `metadata:<member>`")
    .nullable()
    .meta({ description: "`user` or `metadata:<member>`: the same value goes to the same place." }),
});

export const changeModelBody = shape(() =>
  z
    .strictObject({
      id: modelId().meta({ description: "`*` in it stands for any run of characters; an exact id wins." }),
      enabled: z.boolean().default(true),
      ...z.object(overrideMembers()).partial().shape,
      routes: routes().default([]),
      fallbacks: z.array(modelId()).max(8).default([]),
      reset: z.literal(true).optional().meta({ description: "Take the override away." }),
    })
    .meta({ id: "ModelOverrideChange" }),
);

export const overrideShape = shape(() =>
  z
    .object({
      id: z.string(),
      enabled: z.boolean(),
      ...overrideMembers(),
      routes: routes(),
      fallbacks: z.array(z.string()),
      updatedBy: z.string(),
      createdAt: z.string(),
      updatedAt: z.string(),
    })
    .meta({ id: "ModelOverride" }),
);

export const overrideList = shape(() =>
  z.object({ items: z.array(overrideShape()) }).meta({ id: "ModelOverrideList" }),
);
export const changedModelShape = shape(() =>
  z.object({ id: z.string(), override: overrideShape().nullable() }).meta({ id: "ModelOverrideChanged" }),
);

/** 1,000 USD for a million tokens is more than anybody asks; far beyond it sums would no longer be exact. */
const maxPrice = 1_000_000_000;
const price = () => z.number().int().min(0).max(maxPrice);

export const changePriceBody = shape(() =>
  z
    .strictObject({
      provider: providerName(),
      model: modelId().meta({ description: "The provider's name of it." }),
      inputMicroUsdPerMillion: price(),
      cachedInputMicroUsdPerMillion: price().optional().meta({ description: "Left out: as other input." }),
      outputMicroUsdPerMillion: price(),
      effectiveAt: z.iso.datetime({ offset: true }).optional().meta({ description: "Left out: now." }),
    })
    .meta({ id: "ModelPriceChange" }),
);

export const priceShape = shape(() =>
  z
    .object({
      id: z.string(),
      provider: z.string(),
      model: z.string(),
      ...priceMembers(),
      effectiveAt: z.string(),
      createdBy: z.string(),
      createdAt: z.string(),
    })
    .meta({ id: "ModelPrice" }),
);

export const pricePage = pageOf(priceShape, "ModelPricePage");
export const priceQuery = shape(() =>
  pageQuery().extend({ provider: z.string().max(40).optional(), model: z.string().max(300).optional() }),
);

export type ChangeProvider = Output<typeof changeProviderBody>;
export type ChangeModel = Output<typeof changeModelBody>;
export type ChangePrice = Output<typeof changePriceBody>;
export type PriceQuery = Output<typeof priceQuery>;
