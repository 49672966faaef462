/**
 * What the Worker is given: bindings, variables and secrets, parsed once an isolate and refused loudly.
 * Nothing below `app/` and `durable/` reads the environment itself.
 */
import type { SessionStore } from "#durable/session-store/object";
import type { RateLimiter } from "#durable/rate-limiter/object";
import type { Ledger } from "#durable/ledger/object";
import type { Hasher } from "#durable/hasher/object";
import type { StreamBuffer } from "#durable/stream-buffer/object";
import type { Gate } from "#durable/gate/object";
import { type ModelProviderSetting, readModelProviders } from "./model-providers.ts";
import { readSearch, type SearchSetting } from "./search-setting.ts";
import { type LogLevel, logLevels } from "./message-log.ts";
import type { JobMessage, Lane, LedgerMessage, MessageLogMessage } from "./work.ts";

export interface Bindings {
  DB: D1Database;
  FILES: R2Bucket;
  ASSETS?: Fetcher;
  SESSION_STORE: DurableObjectNamespace<SessionStore>;
  RATE_LIMITER: DurableObjectNamespace<RateLimiter>;
  LEDGER: DurableObjectNamespace<Ledger>;
  HASHER: DurableObjectNamespace<Hasher>;
  STREAM_BUFFER: DurableObjectNamespace<StreamBuffer>;
  GATE: DurableObjectNamespace<Gate>;
  CONVERSION_QUEUE: Queue<JobMessage>;
  TRANSCRIPTION_QUEUE: Queue<JobMessage>;
  DISTRIBUTION_QUEUE: Queue<JobMessage>;
  DELIVERY_QUEUE: Queue<JobMessage | LedgerMessage | MessageLogMessage>;
  /** Cloudflare's e-mail binding, when MAIL_TRANSPORT is `cloudflare`. */
  EMAIL?: SendEmail;
}

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
  emailVerification: { enabled: boolean; expiryHours: number; sendsPerDay: number; codeLength: number };
  mail: MailSettings;
  /** By name: `google`, `github`, or any other with its issuer (OpenID Connect discovery). */
  signInProviders: Record<string, SignInProvider>;
  /** Whom model requests may be sent to, by name. */
  modelProviders: Record<string, ModelProviderSetting>;
  /** Whom research asks; null: nobody, and research finds nothing. */
  search: SearchSetting | null;
  stripe: { secretKey: string; webhookSecret: string } | null;
  /** Without a slash at the end. */
  stripeApiBase: string;
  turnstile: { siteKey: string; secretKey: string } | null;
  /** Simulators of outside companies for test mode, at /__sandbox. */
  sandbox: boolean;
  /** Hosts that tenants may name although they are not public; never in production. */
  outboundTenantAllow: string[];
  /** How long uses of API keys and entries of the message log are gathered in memory before they are written; 0: until there are many. */
  keyUsageFlushSeconds: number;
  /** Answers which addresses a host name has, in the JSON form of DNS over HTTPS, before a tenant's address is called. */
  dnsOverHttpsUrl: string;
  /** The most that the message log keeps of a model request, whatever workspaces and requests say. */
  messageLog: LogLevel;
  retentionDays: { deleted: number; logs: number; audit: number };
}

export interface MailSettings {
  transport: "outbox" | "cloudflare" | "smtp" | "resend";
  from: string;
  smtp: { host: string; port: number; username: string; password: string; useTls: boolean };
  resendApiKey: string;
}

export interface SignInProvider {
  clientId: string;
  clientSecret: string;
  issuer?: string;
  displayName?: string;
}

export class EnvironmentError extends Error {}

/** A number in wrangler.toml arrives as a number. */
type Variables = Readonly<Record<string, string | number | undefined>>;

const parsed = new WeakMap<object, Settings>();

/** Parses and remembers; throws `EnvironmentError` that names each wrong variable and never its value. */
export function readSettings(env: object): Settings {
  const known = parsed.get(env);
  if (known) return known;
  const settings = parse(env as Variables);
  parsed.set(env, settings);
  return settings;
}

/** Plain code and no shape, because the first answer of every start waits for it. */
function parse(env: Variables): Settings {
  const faults: string[] = [];
  const read = <Value>(name: string, kind: Kind<Value>, fallback?: string): Value => {
    const given = env[name] ?? fallback;
    const value = given === undefined ? null : kind.read(String(given));
    if (value === null) faults.push(`${name}: ${given === undefined ? "missing" : `not ${kind.wanted}`}`);
    // Nobody ever sees the null: with a fault there are no settings.
    return value as Value;
  };
  const settings: Settings = {
    environment: read("ENVIRONMENT", oneOf("development", "test", "production")),
    publicUrl: read("PUBLIC_URL", urlWithoutSlash),
    allowedOrigins: read("ALLOWED_ORIGINS", list, ""),
    signUp: read("SIGN_UP", oneOf("open", "closed"), "open"),
    hashers: read("HASHERS", hasherCount, "1"),
    masterKeys: read("MASTER_KEYS", masterKeys),
    jwtKeys: read("JWT_PRIVATE_JWKS", jwtKeys),
    storage: {
      endpoint: read("R2_S3_ENDPOINT", url),
      bucket: read("R2_BUCKET_NAME", text),
      accessKeyId: read("R2_ACCESS_KEY_ID", text),
      secretAccessKey: read("R2_SECRET_ACCESS_KEY", text),
    },
    checkResponses: read("CHECK_RESPONSES", oneOf("on", "off"), "off") === "on",
    emailVerification: {
      enabled: read("EMAIL_VERIFICATION_ENABLED", truth, "false"),
      expiryHours: read("EMAIL_VERIFICATION_TOKEN_EXPIRY_HOURS", countUpTo(168), "24"),
      sendsPerDay: read("EMAIL_VERIFICATION_RESEND_LIMIT_PER_DAY", countUpTo(100), "3"),
      codeLength: read("EMAIL_VERIFICATION_OTP_LENGTH", countUpTo(10), "6"),
    },
    mail: {
      transport: read("MAIL_TRANSPORT", oneOf("outbox", "cloudflare", "smtp", "resend"), "outbox"),
      from: read("FROM_EMAIL", text, "Overtone <no-reply@localhost>"),
      smtp: readSmtp(read),
      resendApiKey: read("RESEND_API_KEY", anything, ""),
    },
    signInProviders: read("SIGN_IN_PROVIDERS", signInProviders, "{}"),
    modelProviders: readModelProviders(env, (words) => faults.push(words)),
    search: readSearch(env, (words) => faults.push(words)),
    stripe: bothOrNone(env, read, { secretKey: "STRIPE_SECRET_KEY", webhookSecret: "STRIPE_WEBHOOK_SECRET" }),
    stripeApiBase: read("STRIPE_API_BASE", urlWithoutSlash, "https://api.stripe.com"),
    turnstile: bothOrNone(env, read, { siteKey: "TURNSTILE_SITE_KEY", secretKey: "TURNSTILE_SECRET_KEY" }),
    sandbox: read("SANDBOX", oneOf("on", "off"), "on") === "on",
    outboundTenantAllow: read("OUTBOUND_TENANT_ALLOW", list, ""),
    keyUsageFlushSeconds: read("KEY_USAGE_FLUSH_SECONDS", shortWait, "5"),
    dnsOverHttpsUrl: read("DNS_OVER_HTTPS_URL", url, "https://cloudflare-dns.com/dns-query"),
    messageLog: read("MESSAGE_LOG", oneOf(...logLevels), "contents"),
    retentionDays: {
      deleted: read("RETENTION_DAYS_DELETED", countUpTo(3_650), "30"),
      logs: read("RETENTION_DAYS_LOGS", countUpTo(3_650), "30"),
      audit: read("RETENTION_DAYS_AUDIT", countUpTo(3_650), "365"),
    },
  };
  if (settings.environment === "production" && settings.outboundTenantAllow?.length)
    faults.push("OUTBOUND_TENANT_ALLOW: exists outside production only");
  // The shapes of answers are not deployed.
  if (settings.environment === "production" && settings.checkResponses)
    faults.push("CHECK_RESPONSES: exists outside production only");
  if (faults.length === 0) return settings;
  throw new EnvironmentError(`The environment is not complete. ${faults.join("; ")}. See .dev.vars.example.`);
}

/** How a variable is read. Null refuses it, and `wanted` says what belongs there: the value itself may be a secret. */
interface Kind<Value> {
  wanted: string;
  read(given: string): Value | null;
}

type Read = <Value>(name: string, kind: Kind<Value>, fallback?: string) => Value;

function readSmtp(read: Read): MailSettings["smtp"] {
  return {
    host: read("SMTP_HOST", anything, ""),
    port: read("SMTP_PORT", countUpTo(65_535), "465"),
    username: read("SMTP_USERNAME", anything, ""),
    password: read("SMTP_PASSWORD", anything, ""),
    useTls: read("SMTP_USE_TLS", truth, "true"),
  };
}

/** Two variables that are of use only together: null when neither is set. */
function bothOrNone<Names extends Record<string, string>>(
  env: Variables,
  read: Read,
  names: Names,
): { [Name in keyof Names]: string } | null {
  const entries = Object.entries(names);
  if (entries.every(([, name]) => !env[name])) return null;
  return Object.fromEntries(entries.map(([key, name]) => [key, read(name, text)])) as { [Name in keyof Names]: string };
}

const anything: Kind<string> = { wanted: "a text", read: (given) => given };
const truth: Kind<boolean> = {
  wanted: "true or false",
  read: (given) => (given === "true" || given === "false" ? given === "true" : null),
};
const countUpTo = (max: number): Kind<number> => ({
  wanted: `a number from 1 to ${max}`,
  read: (given) => (/^[1-9]\d{0,5}$/.test(given) && Number(given) <= max ? Number(given) : null),
});
/** What runs behind an answer is ended by the platform after 30 s. */
const shortWait: Kind<number> = {
  wanted: "0 to 20",
  read: (given) => (/^\d{1,2}$/.test(given) && Number(given) <= 20 ? Number(given) : null),
};
const signInProviders: Kind<Record<string, SignInProvider>> = {
  wanted: 'JSON of the form {"google":{"clientId":"...","clientSecret":"..."}}, others with their issuer',
  read: readSignInProviders,
};

function readSignInProviders(given: string): Record<string, SignInProvider> | null {
  try {
    const value = JSON.parse(given) as Record<string, Record<string, unknown>>;
    const valid = Object.entries(value).every(
      ([name, provider]) =>
        /^[a-z0-9-]{2,40}$/.test(name) &&
        typeof provider["clientId"] === "string" &&
        typeof provider["clientSecret"] === "string" &&
        (provider["issuer"] === undefined
          ? ["google", "github"].includes(name)
          : typeof provider["issuer"] === "string" && URL.canParse(provider["issuer"])),
    );
    return valid ? (value as unknown as Record<string, SignInProvider>) : null;
  } catch {
    return null;
  }
}

const text: Kind<string> = { wanted: "a text", read: (given) => given || null };
const list: Kind<string[]> = { wanted: "a list", read: splitList };
const url: Kind<string> = { wanted: "an absolute URL", read: (given) => (URL.canParse(given) ? given : null) };
const urlWithoutSlash: Kind<string> = { ...url, read: (given) => url.read(given)?.replace(/\/$/, "") ?? null };
const hasherCount: Kind<number> = { wanted: "1 to 8", read: (given) => (/^[1-8]$/.test(given) ? Number(given) : null) };
const masterKeys: Kind<Settings["masterKeys"]> = {
  wanted: "1 to 20 of version (1 to 255, none twice):base64 of 32 bytes",
  read: readMasterKeys,
};
const jwtKeys: Kind<Settings["jwtKeys"]> = {
  wanted: "a JSON Web Key Set of private P-256 keys with their kid",
  read: readJwtKeys,
};

function oneOf<const Word extends string>(...words: Word[]): Kind<Word> {
  return { wanted: `one of ${words.join(", ")}`, read: (given) => words.find((word) => word === given) ?? null };
}

function splitList(given: string): string[] {
  return given
    .split(",")
    .map((entry) => entry.trim())
    .filter(Boolean);
}

const masterKeyPattern = /^([1-9]\d?|1\d\d|2[0-4]\d|25[0-5]):([A-Za-z0-9+/]{43}=)$/;

function readMasterKeys(given: string): Settings["masterKeys"] | null {
  const entries = splitList(given).map((entry) => masterKeyPattern.exec(entry));
  const keys = entries.flatMap((entry) => (entry ? [toMasterKey(entry)] : []));
  const versions = new Set(keys.map((key) => key.version));
  const [current, ...older] = keys;
  if (!current || entries.length > 20 || versions.size !== entries.length) return null;
  return [current, ...older];
}

function toMasterKey([, version, encoded = ""]: RegExpExecArray): MasterKey {
  return { version: Number(version), raw: Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)) };
}

function readJwtKeys(given: string): Settings["jwtKeys"] | null {
  const { keys } = readObject(given);
  if (!Array.isArray(keys) || !keys.every(isPrivateJwk)) return null;
  const [current, ...older] = keys.map(({ kid, kty, crv, x, y, d }) => ({ kid, kty, crv, x, y, d }));
  return current ? [current, ...older] : null;
}

function readObject(json: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(json)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function isPrivateJwk(value: unknown): value is PrivateJwk {
  const { kty, crv, kid, x, y, d } = Object(value) as Record<string, unknown>;
  return kty === "EC" && crv === "P-256" && [kid, x, y, d].every((member) => typeof member === "string");
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
