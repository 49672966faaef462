/**
 * Tells whether an address that a tenant named may be called at all, before anything is asked of the network (OWASP API7, request
 * forgery). Reads text only. It refuses every literal address: a public service has a name, and each notation of a number that is let
 * through is one more to get wrong. What a name stands for is the caller's to check (`isPublicAddress`).
 */
import { readAddress } from "./network-address.ts";

export type TenantUrlReason =
  | "not-a-url"
  | "not-https"
  | "has-credentials"
  | "port"
  | "literal-address"
  | "local-name"
  | "own-host";

export type TenantUrlCheck = { ok: true; url: URL; isAllowListed: boolean } | { ok: false; reason: TenantUrlReason };

export interface TenantUrlRules {
  /** `host` or `host:port` of receivers that may be called although they are not public: for tests and development. */
  allow: readonly string[];
  /** The product's own address: it must not call itself with somebody's words. */
  publicUrl: string;
}

const maxLength = 2_048;

/** Names that mean this machine, this network or nothing (RFC 6761, 6762, 7686, 8375, 9476; ICANN's list of private use). */
const localEndings = [
  "localhost",
  "localdomain",
  "local",
  "internal",
  "intranet",
  "private",
  "corp",
  "home",
  "lan",
  "arpa",
  "onion",
  "alt",
  "test",
  "invalid",
  "example",
];

export function checkTenantUrl(text: string, rules: TenantUrlRules): TenantUrlCheck {
  if (text.length > maxLength || !URL.canParse(text)) return { ok: false, reason: "not-a-url" };
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return { ok: false, reason: "not-https" };
  if (url.username !== "" || url.password !== "") return { ok: false, reason: "has-credentials" };
  if (rules.allow.includes(url.host) || rules.allow.includes(url.hostname))
    return { ok: true, url, isAllowListed: true };
  const reason = reasonAgainst(url, rules);
  return reason === null ? { ok: true, url, isAllowListed: false } : { ok: false, reason };
}

function reasonAgainst(url: URL, rules: TenantUrlRules): TenantUrlReason | null {
  if (url.protocol !== "https:") return "not-https";
  // The parser leaves the port out when it is the scheme's own.
  if (url.port !== "") return "port";
  const host = url.hostname.replace(/\.+$/, "");
  if (isLiteral(host)) return "literal-address";
  if (isLocalName(host)) return "local-name";
  return isOwn(host, rules.publicUrl) ? "own-host" : null;
}

/** The parser has folded every notation of an IPv4 number into four decimals; what still ends in a number is no name either. */
function isLiteral(host: string): boolean {
  if (host.startsWith("[") || readAddress(host) !== null) return true;
  return /^(?:\d+|0x[\da-f]*)$/i.test(host.split(".").at(-1) ?? "");
}

function isLocalName(host: string): boolean {
  const labels = host.split(".");
  return labels.length < 2 || labels.includes("") || localEndings.includes(labels.at(-1) ?? "");
}

/** The product's own host and what lies below it; of a `workers.dev` name the whole account, whose other Workers may trust each other. */
function isOwn(host: string, publicUrl: string): boolean {
  const own = new URL(publicUrl).hostname.replace(/\.+$/, "");
  const zone = own.endsWith(".workers.dev") ? own.split(".").slice(-3).join(".") : own;
  return host === zone || host.endsWith(`.${zone}`);
}
