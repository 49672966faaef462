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
      }),
      encryption: z.object({
        currentVersion: z.number().int(),
        staleKeys: z.number().int().meta({ description: "Keys that an older master key still wraps." }),
      }),
    })
    .meta({ id: "Status" }),
);

export type Part = Output<typeof part>;
export type Transport = Output<typeof transport>;
