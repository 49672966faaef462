/** Decisions about return addresses, codes and passwords that do not exist, from values only. */
import { createHash } from "node:crypto";

/**
 * The password hash of a person who has none: an argon2id string whose hash is 32 random bytes that no password is known to give. It costs
 * what any other costs to compare, so a try tells nothing, and a reset replaces it. The salt alone says what it is.
 */
const noPasswordSalt = Buffer.from("overtone no pass").toString("base64").replaceAll("=", "");

export function noPasswordPhc(random: Uint8Array): string {
  return `$argon2id$v=19$m=19456,t=2,p=1$${noPasswordSalt}$${Buffer.from(random).toString("base64").replaceAll("=", "")}`;
}

export function hasPassword(passwordPhc: string): boolean {
  return passwordPhc.split("$")[4] !== noPasswordSalt;
}

const editorScheme =
  /^vscode(-insiders)?:\/\/[a-z0-9][a-z0-9-]*\.[a-z0-9][a-z0-9-]*(\/[\w\-./~%]*)?(\?[\w\-.~%&=]*)?$/i;
const loopback = /^http:\/\/(127\.0\.0\.1|\[::1\]):\d{1,5}\//;

/**
 * Where a sign-in may return to: a page of an allowed origin, an editor extension, or a program on the person's own machine (RFC 8252
 * section 7.3). Null for everything else. What is returned is the address as a browser reads it, so that nothing can be read two ways.
 */
export function returnTarget(text: string, allowedOrigins: readonly string[]): string | null {
  // Printable ASCII without a backslash: browsers, servers and people read everything else each in their own way.
  if (text.length > 2_000 || !/^[\x21-\x5b\x5d-\x7e]+$/.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "" || url.hash !== "") return null;
  if (editorScheme.test(text)) return url.href;
  if (loopback.test(url.href)) return url.href;
  const isWeb = url.protocol === "https:" || url.protocol === "http:";
  return isWeb && allowedOrigins.includes(url.origin) ? url.href : null;
}

/** RFC 7636 section 4.2: 43 characters of base64url are the SHA-256 of a verifier. */
export function isChallenge(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}

export function answersChallenge(challenge: string, verifier: string): boolean {
  if (!/^[\w\-.~]{43,128}$/.test(verifier)) return false;
  return createHash("sha256").update(verifier).digest("base64url") === challenge;
}

/** The target with more parameters; its own stay. */
export function withParameters(target: string, parameters: Record<string, string>): string {
  const url = new URL(target);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** One cookie of a request; the newest browsers send each name once. */
export function cookieOf(headers: Headers, name: string): string | null {
  const pairs = (headers.get("cookie") ?? "").split(";").map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1) ?? null;
}
