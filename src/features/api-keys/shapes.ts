/** What clients see of an API key. The key itself is in the answer that made it and nowhere else. */
import * as z from "zod";
import { shape } from "#core/shape";
import { permissionNames } from "#core/access";
import { pageOf } from "#core/page";

const scopes = shape(() => z.array(z.enum(permissionNames)).min(1).max(permissionNames.length));

export const keyParams = shape(() => z.object({ id: z.string().max(64) }));

export const createKeyBody = shape(() =>
  z
    .strictObject({
      name: z.string().trim().min(1).max(100),
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
    })
    .meta({ id: "ApiKeyCreate" }),
);

export const changeKeyBody = shape(() =>
  z
    .strictObject({ name: z.string().trim().min(1).max(100), scopes: scopes(), enabled: z.boolean() })
    .partial()
    .refine((body) => Object.keys(body).length > 0, "at least one member")
    .meta({ id: "ApiKeyChange" }),
);

const members = () => ({
  id: z.string(),
  name: z.string(),
  mode: z.enum(["live", "test"]),
  start: z.string().meta({ description: "The first characters of the key." }),
  scopes: z.array(z.string()),
  enabled: z.boolean(),
  expiresAt: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
  createdAt: z.string(),
});

export const apiKeyShape = shape(() => z.object(members()).meta({ id: "ApiKey" }));
export const createdKeyShape = shape(() =>
  z
    .object({
      ...members(),
      key: z.string().optional().meta({ description: "Shown once; a replayed answer does not hold it." }),
    })
    .meta({ id: "ApiKeyCreated" }),
);
export const apiKeyPage = pageOf(apiKeyShape, "ApiKeyPage");
