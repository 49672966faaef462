/** What the health and status pages say. */
import { z } from "@hono/zod-openapi";

export const healthShape = z
  .object({
    status: z.enum(["healthy", "degraded"]),
    timestamp: z.string(),
    uptime: z.number().openapi({ description: "Seconds since this isolate started." }),
    environment: z.string(),
    database: z.enum(["connected", "unreachable"]),
  })
  .openapi("Health");

const part = z.object({ status: z.enum(["ok", "degraded", "down"]), detail: z.string() });

export const statusShape = z
  .object({
    status: z.enum(["ok", "degraded", "down"]),
    timestamp: z.string(),
    parts: z.object({ database: part, storage: part, queues: part, cron: part }),
    encryption: z.object({
      currentVersion: z.number().int(),
      staleKeys: z.number().int().openapi({ description: "Keys that an older master key still wraps." }),
    }),
  })
  .openapi("Status");

export type Part = z.output<typeof part>;
