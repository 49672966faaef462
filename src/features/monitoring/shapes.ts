/** What the health and status pages say. */
import * as z from "zod";
import { type Output, shape } from "#core/shape";

export const healthShape = shape(() =>
  z
    .object({
      status: z.enum(["healthy", "degraded"]),
      timestamp: z.string(),
      uptime: z.number().meta({ description: "Seconds since this isolate started." }),
      environment: z.string(),
      database: z.enum(["connected", "unreachable"]),
    })
    .meta({ id: "Health" }),
);

const part = shape(() => z.object({ status: z.enum(["ok", "degraded", "down"]), detail: z.string() }));

const provider = shape(() =>
  z.object({
    name: z.string(),
    configured: z.boolean(),
    state: z
      .enum(["healthy", "degraded", "failing", "unknown", "not-configured"])
      .meta({ description: "From the calls of the last minutes; unknown: none was." }),
    circuit: z.enum(["closed", "half-open", "open"]).meta({
      description: "open: left alone for a while, with one model at least. As the isolate that answers knows it.",
    }),
    lastSuccessAt: z.string().nullable().meta({ description: "Today, as the other." }),
    lastFailureAt: z.string().nullable(),
  }),
);

const transport = shape(() => z.enum(["outbox", "cloudflare", "smtp", "resend"]));

export const statusShape = shape(() =>
  z
    .object({
      status: z.enum(["ok", "degraded", "down"]),
      timestamp: z.string(),
      parts: z.object({
        database: part(),
        storage: part(),
        queues: part(),
        cron: part(),
        mail: part()
          .extend({ transport: transport() })
          .meta({ description: "The transport that is configured, and whether it took the last mails." }),
        providers: part()
          .extend({ items: z.array(provider()) })
          .meta({ description: "Of models. Nobody is called to find out." }),
      }),
      encryption: z.object({
        currentVersion: z.number().int(),
        staleKeys: z.number().int().meta({ description: "Keys that an older master key still wraps." }),
      }),
    })
    .meta({ id: "Status" }),
);

export type Part = Output<typeof part>;
export type ProviderState = Output<typeof provider>;
export type Transport = Output<typeof transport>;
