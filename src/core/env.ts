/**
 * What the Worker is given: bindings, variables and secrets, parsed once an isolate and refused loudly.
 * Nothing below `app/` and `durable/` reads the environment itself.
 */
import * as z from "zod";
import type { SessionStore } from "#durable/session-store/object";
import type { RateLimiter } from "#durable/rate-limiter/object";
import type { Ledger } from "#durable/ledger/object";
import type { Hasher } from "#durable/hasher/object";
import type { JobMessage, Lane } from "./work.ts";

export interface Bindings {
  DB: D1Database;
  FILES: R2Bucket;
  ASSETS?: Fetcher;
  SESSION_STORE: DurableObjectNamespace<SessionStore>;
  RATE_LIMITER: DurableObjectNamespace<RateLimiter>;
  LEDGER: DurableObjectNamespace<Ledger>;
  HASHER: DurableObjectNamespace<Hasher>;
  CONVERSION_QUEUE: Queue<JobMessage>;
  TRANSCRIPTION_QUEUE: Queue<JobMessage>;
  DISTRIBUTION_QUEUE: Queue<JobMessage>;
  DELIVERY_QUEUE: Queue<JobMessage>;
}

const masterKey = z
  .string()
  .regex(/^(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-5]):[A-Za-z0-9+/]{43}=$/, "version (1 to 255):base64 of 32 bytes");

const settingsShape = z.object({
  ENVIRONMENT: z.enum(["development", "test", "production"]),
  PUBLIC_URL: z.url().transform((url) => url.replace(/\/$/, "")),
  ALLOWED_ORIGINS: z
    .string()
    .default("")
    .transform((text) =>
      text
        .split(",")
        .map((origin) => origin.trim())
        .filter(Boolean),
    ),
  SIGN_UP: z.enum(["open", "closed"]).default("open"),
  HASHERS: z.coerce.number().int().min(1).max(8).default(1),
  MASTER_KEYS: z
    .string()
    .transform((text) =>
      text
        .split(",")
        .map((entry) => entry.trim())
        .filter(Boolean),
    )
    .pipe(z.array(masterKey).min(1).max(20)),
  JWT_PRIVATE_JWKS: z
    .string()
    .transform((text, issue) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        issue.addIssue({ code: "custom", message: "not JSON" });
        return z.NEVER;
      }
    })
    .pipe(
      z.object({
        keys: z
          .array(
            z.looseObject({
              kid: z.string(),
              kty: z.literal("EC"),
              crv: z.literal("P-256"),
              x: z.string(),
              y: z.string(),
              d: z.string(),
            }),
          )
          .min(1),
      }),
    ),
  R2_S3_ENDPOINT: z.url(),
  R2_BUCKET_NAME: z.string().min(1),
  R2_ACCESS_KEY_ID: z.string().min(1),
  R2_SECRET_ACCESS_KEY: z.string().min(1),
  CHECK_RESPONSES: z.enum(["on", "off"]).default("off"),
});

export interface MasterKey {
  version: number;
  raw: Uint8Array;
}

export interface PrivateJwk {
  kid: string;
  kty: "EC";
  crv: "P-256";
  x: string;
  y: string;
  d: string;
}

/** The parsed environment. `masterKeys[0]` and `jwtKeys[0]` are the current ones; the others only verify and unwrap. */
export interface Settings {
  environment: "development" | "test" | "production";
  publicUrl: string;
  allowedOrigins: string[];
  signUp: "open" | "closed";
  hashers: number;
  masterKeys: [MasterKey, ...MasterKey[]];
  jwtKeys: [PrivateJwk, ...PrivateJwk[]];
  storage: { endpoint: string; bucket: string; accessKeyId: string; secretAccessKey: string };
  checkResponses: boolean;
}

export class EnvironmentError extends Error {}

const parsed = new WeakMap<object, Settings>();

/** Parses and remembers; throws `EnvironmentError` that names each wrong variable and never its value. */
export function readSettings(env: object): Settings {
  const known = parsed.get(env);
  if (known) return known;
  const result = settingsShape.safeParse(env);
  if (!result.success) {
    const faults = result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new EnvironmentError(`The environment is not complete. ${faults.join("; ")}. See .dev.vars.example.`);
  }
  const settings = toSettings(result.data);
  parsed.set(env, settings);
  return settings;
}

function toSettings(vars: z.output<typeof settingsShape>): Settings {
  const masterKeys = vars.MASTER_KEYS.map((entry) => {
    const [version = "", encoded = ""] = entry.split(":");
    return { version: Number(version), raw: Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)) };
  });
  if (new Set(masterKeys.map((key) => key.version)).size !== masterKeys.length) {
    throw new EnvironmentError("MASTER_KEYS names a version twice.");
  }
  return {
    environment: vars.ENVIRONMENT,
    publicUrl: vars.PUBLIC_URL,
    allowedOrigins: vars.ALLOWED_ORIGINS,
    signUp: vars.SIGN_UP,
    hashers: vars.HASHERS,
    masterKeys: masterKeys as Settings["masterKeys"],
    jwtKeys: vars.JWT_PRIVATE_JWKS.keys.map(({ kid, kty, crv, x, y, d }) => ({
      kid,
      kty,
      crv,
      x,
      y,
      d,
    })) as Settings["jwtKeys"],
    storage: {
      endpoint: vars.R2_S3_ENDPOINT,
      bucket: vars.R2_BUCKET_NAME,
      accessKeyId: vars.R2_ACCESS_KEY_ID,
      secretAccessKey: vars.R2_SECRET_ACCESS_KEY,
    },
    checkResponses: vars.CHECK_RESPONSES === "on",
  };
}

/** Which queue carries a lane; a lane is concurrency, never a kind of work. */
export function queueOf(env: Bindings, lane: Lane): Queue<JobMessage> {
  const queues = {
    conversion: env.CONVERSION_QUEUE,
    transcription: env.TRANSCRIPTION_QUEUE,
    distribution: env.DISTRIBUTION_QUEUE,
    delivery: env.DELIVERY_QUEUE,
  };
  return queues[lane];
}
