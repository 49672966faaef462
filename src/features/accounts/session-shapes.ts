/** What a person sees of the own sessions. Tokens are in no answer but the one that made them. */
import * as z from "zod";
import { pageOf } from "#core/page";
import { shape } from "#core/shape";

const sessionShape = shape(() =>
  z
    .object({
      id: z.string(),
      device: z
        .string()
        .meta({ description: "The program and system, as far as it names them.", example: "Firefox on Linux" }),
      address: z.string().meta({ description: "The network address that it was opened from." }),
      userAgent: z.string(),
      current: z.boolean().meta({ description: "The session that asks." }),
      conversionCount: z.number().int().meta({ description: "Conversions that were started in it." }),
      createdAt: z.string(),
      lastActivityAt: z.string().meta({ description: "To the minute." }),
      expiresAt: z.string(),
    })
    .meta({ id: "Session" }),
);

export const sessionPage = pageOf(sessionShape, "SessionPage");
export const sessionParams = shape(() => z.object({ id: z.string().max(64) }));
export const endedShape = shape(() => z.object({ ended: z.number().int() }).meta({ id: "EndedSessions" }));
