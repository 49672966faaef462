/**
 * Access tokens: ES256 JSON Web Tokens of 30 minutes (RFC 7519, RFC 9068's `at+jwt` type), signed with the first key of JWT_PRIVATE_JWKS.
 * A token only names a session; whether that session still lives is asked of its session-store object.
 */
import { importJWK, jwtVerify, SignJWT } from "jose";
import type { PrivateJwk, Settings } from "#core/env";
import { BoundedMap } from "#lib/bounded-map";

export const accessTokenSeconds = 1_800;
const audience = "overtone";

export interface AccessClaims {
  userId: string;
  sessionId: string;
  expiresAt: number;
}

type ImportedKey = Awaited<ReturnType<typeof importJWK>>;

interface KeyRing {
  signing: { kid: string; key: ImportedKey };
  verifying: Map<string, ImportedKey>;
}

const rings = new WeakMap<Settings, KeyRing>();
/** Verified tokens by their text: a signature is checked once an isolate. Bounded, and each entry dies with its token. */
const verified = new BoundedMap<string, AccessClaims>(5_000);

export function publicJwk({ kid, kty, crv, x, y }: PrivateJwk): Record<string, string> {
  return { kid, kty, crv, x, y, alg: "ES256", use: "sig" };
}

async function keyRing(settings: Settings): Promise<KeyRing> {
  const known = rings.get(settings);
  if (known) return known;
  const [first] = settings.jwtKeys;
  const verifying = new Map<string, ImportedKey>();
  for (const jwk of settings.jwtKeys) verifying.set(jwk.kid, await importJWK(publicJwk(jwk), "ES256"));
  const ring = { signing: { kid: first.kid, key: await importJWK({ ...first, alg: "ES256" }, "ES256") }, verifying };
  rings.set(settings, ring);
  return ring;
}

export async function issueAccessToken(
  settings: Settings,
  subject: { userId: string; sessionId: string; nowMs: number },
): Promise<string> {
  const { signing } = await keyRing(settings);
  const issuedAt = Math.floor(subject.nowMs / 1_000);
  return new SignJWT({ sid: subject.sessionId })
    .setProtectedHeader({ alg: "ES256", kid: signing.kid, typ: "at+jwt" })
    .setIssuer(settings.publicUrl)
    .setAudience(audience)
    .setSubject(subject.userId)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + accessTokenSeconds)
    .sign(signing.key);
}

/** The claims of a token whose signature this isolate has checked before and which has not expired. */
/** Forgets which access tokens this isolate has verified. */
export function forgetAccessTokens(): number {
  return verified.clear();
}

export function knownAccessToken(token: string, nowMs: number): AccessClaims | undefined {
  const claims = verified.get(token);
  return claims && claims.expiresAt > nowMs ? claims : undefined;
}

/** `expired` is told apart from everything else, so that a client knows when to refresh. */
export async function verifyAccessToken(
  settings: Settings,
  token: string,
  nowMs: number,
): Promise<AccessClaims | "expired" | "invalid"> {
  const ring = await keyRing(settings);
  try {
    const { payload } = await jwtVerify(token, (header) => keyFor(ring, header.kid), {
      algorithms: ["ES256"],
      typ: "at+jwt",
      issuer: settings.publicUrl,
      audience,
      requiredClaims: ["exp", "iat", "sub", "sid"],
      currentDate: new Date(nowMs),
    });
    const { sub, sid, exp } = payload;
    if (typeof sub !== "string" || typeof sid !== "string" || typeof exp !== "number") return "invalid";
    const claims = { userId: sub, sessionId: sid, expiresAt: exp * 1_000 };
    verified.set(token, claims);
    return claims;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ERR_JWT_EXPIRED" ? "expired" : "invalid";
  }
}

function keyFor(ring: KeyRing, kid: string | undefined): ImportedKey {
  const key = kid === undefined ? undefined : ring.verifying.get(kid);
  if (!key) throw new Error("unknown key id");
  return key;
}
