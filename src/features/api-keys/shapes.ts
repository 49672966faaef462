/** What clients see of an API key. The key itself is in the answer that made it and nowhere else. */
import * as z from "zod";
import { type Output, shape } from "#core/shape";
import { permissionNames } from "#core/access";
import { budgetMeters, budgetPeriods } from "#core/limits";
import { modelPatterns } from "#core/model-patterns";
import { pageOf } from "#core/page";
import { readRange } from "#lib/network-address";
import { isImportedKind, outcomes } from "./rules.ts";

const maxMetadataBytes = 16_384;
const scopes = shape(() => z.array(z.enum(permissionNames)).min(1).max(permissionNames.length));

export const keyParams = shape(() => z.object({ id: z.string().max(64) }));

const name = () => z.string().trim().min(1).max(100);
const limits = () =>
  z
    .array(
      z
        .strictObject({
          name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,39}$/),
          quota: z.number().int().min(1).max(1_000_000_000),
          windowSeconds: z.number().int().min(1).max(2_678_400),
          cost: z.number().int().min(1).max(1_000_000).optional(),
        })
        .refine((limit) => (limit.cost ?? 1) <= limit.quota, "costs more than its quota"),
    )
    .max(10)
    .refine((all) => new Set(all.map((limit) => limit.name)).size === all.length, "a name twice")
    .meta({
      description: "Exact limits of this key beside those of the plan; each use takes `cost` (1) from each.",
      example: [{ name: "requests", quota: 100, windowSeconds: 60 }],
    });
const budgets = () =>
  z
    .array(
      z.strictObject({
        meter: z.enum(budgetMeters),
        limit: z.number().int().min(0).max(1_000_000_000_000),
        period: z.enum(budgetPeriods),
      }),
    )
    .max(10)
    .meta({
      description: "What all uses of the key together may come to.",
      example: [{ meter: "aiTokens", limit: 10_000, period: "month" }],
    });
const allowedAddresses = () =>
  z
    .array(
      z
        .string()
        .max(50)
        .refine((text) => readRange(text) !== null, "no address or range in CIDR form"),
    )
    .max(100)
    .meta({
      description: "Addresses or ranges (CIDR) that the key may come from; empty: any.",
      example: ["203.0.113.0/24"],
    });
const allowedModels = () =>
  modelPatterns().meta({
    description:
      "Models that the key may use: ids, or patterns in which `*` stands for anything. Its maker's own hold, too.",
    example: ["gpt-4o*"],
  });
const metadata = () =>
  z
    .record(z.string().max(100), z.unknown())
    .refine((value) => JSON.stringify(value).length <= maxMetadataBytes, `more than ${maxMetadataBytes} bytes`)
    .meta({ description: "Notes of the owner, at most 16 KiB as JSON.", example: { team: "backend" } });
const expiresAt = () => z.iso.datetime();

export const createKeyBody = shape(() =>
  z
    .strictObject({
      name: name(),
      scopes: scopes()
        .optional()
        .meta({ description: "Left out: everything that its maker may do, except managing keys." }),
      mode: z
        .enum(["live", "test"])
        .optional()
        .meta({ description: "Left out: live; a key for tests makes keys for tests." }),
      expiresInDays: z
        .number()
        .int()
        .min(1)
        .max(3_650)
        .optional()
        .meta({ description: "A key that a key makes ends with its maker at the latest." }),
      expiresAt: expiresAt().optional(),
      limits: limits().optional(),
      budgets: budgets().optional(),
      allowedAddresses: allowedAddresses().optional(),
      allowedModels: allowedModels().optional(),
      metadata: metadata().optional(),
      importedKey: z
        .string()
        .max(220)
        .refine(isImportedKind, "no key of a kind that older systems made")
        .optional()
        .meta({
          description:
            "A key of an older system (`pe-`, `sk_live_`, `org_`) that goes on working; only its hash is kept.",
        }),
    })
    .refine((body) => body.expiresAt === undefined || body.expiresInDays === undefined, "expiresAt or expiresInDays")
    .meta({ id: "ApiKeyCreate" }),
);

export const changeKeyBody = shape(() =>
  z
    .strictObject({
      name: name(),
      scopes: scopes(),
      enabled: z.boolean(),
      expiresAt: expiresAt().nullable(),
      limits: limits(),
      budgets: budgets(),
      allowedAddresses: allowedAddresses(),
      allowedModels: allowedModels(),
      metadata: metadata().nullable(),
    })
    .partial()
    .refine((body) => Object.keys(body).length > 0, "at least one member")
    .meta({ id: "ApiKeyChange" }),
);

export const rotateKeyBody = shape(() =>
  z
    .strictObject({
      graceSeconds: z
        .number()
        .int()
        .min(0)
        .max(2_592_000)
        .optional()
        .meta({ description: "How long the old secret goes on working. Left out: not at all." }),
    })
    .meta({ id: "ApiKeyRotate" }),
);

export const validateKeyBody = shape(() =>
  z
    .strictObject({
      key: z.string().min(1).max(500).optional().meta({ description: "Left out: the credential of this request." }),
      scopes: z
        .union([z.string().min(1).max(1_000), z.array(z.string().max(64)).min(1).max(50)])
        .optional()
        .meta({
          description: "Scopes that are all needed, or a question.",
          example: "(files:read or files:write) and jobs:read",
        }),
      cost: z
        .number()
        .int()
        .min(1)
        .max(1_000_000)
        .optional()
        .meta({ description: "What this use takes from each limit." }),
      address: z
        .string()
        .max(50)
        .optional()
        .meta({ description: "Where the use came from; needed for a key that has a list of addresses." }),
    })
    .meta({ id: "ApiKeyValidate" }),
);

export type CreateKey = Output<typeof createKeyBody>;
export type ChangeKey = Output<typeof changeKeyBody>;
export type ValidateKey = Output<typeof validateKeyBody>;

const members = () => ({
  id: z.string(),
  name: z.string(),
  mode: z.enum(["live", "test"]),
  kind: z.enum(["own", "imported"]),
  start: z.string().meta({ description: "The first characters of the key." }),
  userId: z.string().meta({ description: "Who made it; it never does more than that person may do." }),
  scopes: z.array(z.string()),
  enabled: z.boolean(),
  limits: limits(),
  budgets: budgets(),
  allowedAddresses: z.array(z.string()),
  allowedModels: z.array(z.string()),
  metadata: z.record(z.string(), z.unknown()).nullable(),
  expiresAt: z.string().nullable(),
  rotatedAt: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
  createdAt: z.string(),
});

const shownOnce = () =>
  z
    .string()
    .optional()
    .meta({ description: "Shown once; a replayed answer does not hold it, nor one to an imported key." });

export const apiKeyShape = shape(() => z.object(members()).meta({ id: "ApiKey" }));
export const createdKeyShape = shape(() => z.object({ ...members(), key: shownOnce() }).meta({ id: "ApiKeyCreated" }));
export const rotatedKeyShape = shape(() =>
  z.object({ ...members(), previousWorksUntil: z.string().nullable(), key: shownOnce() }).meta({ id: "ApiKeyRotated" }),
);
export const apiKeyPage = pageOf(apiKeyShape, "ApiKeyPage");

export const validatedKeyShape = shape(() =>
  z
    .object({
      valid: z.boolean(),
      code: z.enum(outcomes),
      keyId: z.string().optional(),
      name: z.string().optional(),
      mode: z.enum(["live", "test"]).optional(),
      userId: z.string().optional(),
      scopes: z.array(z.string()).optional(),
      enabled: z.boolean().optional(),
      expiresAt: z.string().nullable().optional(),
      metadata: z.record(z.string(), z.unknown()).nullable().optional(),
      limit: z
        .object({
          name: z.string(),
          quota: z.number(),
          windowSeconds: z.number(),
          remaining: z.number(),
          resetInSeconds: z.number(),
        })
        .nullable()
        .optional()
        .meta({ description: "The strictest of the key's limits after this use." }),
    })
    .meta({ id: "ApiKeyValidated" }),
);

export const usageQuery = shape(() =>
  z.object({
    days: z.coerce.number().int().min(1).max(90).default(30).meta({ description: "Days of UTC, today among them." }),
  }),
);

const counts = () => z.partialRecord(z.enum(outcomes), z.number());

export const keyUsageShape = shape(() =>
  z
    .object({
      keyId: z.string(),
      from: z.string(),
      to: z.string(),
      total: z.number(),
      outcomes: counts(),
      items: z.array(z.object({ day: z.string(), total: z.number(), outcomes: counts() })),
    })
    .meta({ id: "ApiKeyUsage" }),
);
