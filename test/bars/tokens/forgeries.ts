/**
 * Access tokens that must not be accepted. Those "by our own key" are what a stolen or careless signer could make: right signature, one
 * claim wrong. All others are what anybody can make who has seen a token and the published keys.
 */
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export interface Material {
  /** A token that is valid now. */
  token: string;
  privateKey: KeyObject;
  kid: string;
  publicJwk: Record<string, string>;
  issuer: string;
  nowSeconds: number;
  /** Another person, and a session of the token's owner that was ended. */
  otherUserId: string;
  endedSessionId: string;
  /** A second valid token of the same person. */
  sibling: string;
}

type Part = Record<string, unknown>;

const encode = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const decode = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString()) as Part;
const without = (part: Part, name: string) => Object.fromEntries(Object.entries(part).filter(([key]) => key !== name));

function es256(key: KeyObject, input: string, hash = "sha256"): string {
  return sign(hash, Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
}

function signed(header: unknown, payload: unknown, key: KeyObject): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${es256(key, input)}`;
}

function keyed(header: Part, payload: unknown, secret: string | Buffer): string {
  const input = `${encode(header)}.${encode(payload)}`;
  const hash = `sha${String(header["alg"]).slice(2)}`;
  return `${input}.${createHmac(hash, secret).update(input).digest("base64url")}`;
}

/** What the harness would make of right parts: it has to be accepted, or the refusals below prove nothing. */
export function genuine(material: Material): string {
  const [header = "", payload = ""] = material.token.split(".");
  return signed(decode(header), { ...decode(payload), extra: "signed by the bar" }, material.privateKey);
}

export function forgeries(material: Material): [name: string, token: string][] {
  const [head = "", body = "", signature = ""] = material.token.split(".");
  const parts = { head, body, signature, header: decode(head), payload: decode(body) };
  return [
    ...withoutSignature(parts),
    ...byPublicKey(material, parts),
    ...byForeignKey(material, parts),
    ...byHeader(material, parts),
    ...byClaim(material, parts),
    ...bySession(material, parts),
    ...byText(material, parts),
  ];
}

interface Parts {
  head: string;
  body: string;
  signature: string;
  header: Part;
  payload: Part;
}

function withoutSignature({ header, payload, body, signature }: Parts): [string, string][] {
  const algorithms = ["none", "None", "NONE", "nOnE", "", null];
  return [
    ...algorithms.map((alg): [string, string] => [
      `alg ${String(alg)}: no signature`,
      `${encode({ ...header, alg })}.${encode(payload)}.`,
    ]),
    ["alg none: the old signature", `${encode({ ...header, alg: "none" })}.${body}.${signature}`],
    ["alg left out", `${encode(without(header, "alg"))}.${body}.${signature}`],
    ["alg in small letters", `${encode({ ...header, alg: "es256" })}.${body}.${signature}`],
    ["alg as a list", `${encode({ ...header, alg: ["ES256"] })}.${body}.${signature}`],
  ];
}

/** The published key as the secret of a symmetric algorithm. */
function byPublicKey({ publicJwk }: Material, { header, payload }: Parts): [string, string][] {
  const key = createPublicKey({ key: publicJwk, format: "jwk" });
  const secrets: [string, string | Buffer][] = [
    ["PEM", key.export({ type: "spki", format: "pem" })],
    ["DER", key.export({ type: "spki", format: "der" })],
    ["JWK", JSON.stringify(publicJwk)],
    ["x", Buffer.from(publicJwk["x"] ?? "", "base64url")],
    ["nothing", ""],
  ];
  return [
    ...secrets.map(([name, secret]): [string, string] => [
      `HS256 by the public key (${name})`,
      keyed({ ...header, alg: "HS256" }, payload, secret),
    ]),
    ["HS384 by the public key", keyed({ ...header, alg: "HS384" }, payload, JSON.stringify(publicJwk))],
    ["HS512 by the public key", keyed({ ...header, alg: "HS512" }, payload, JSON.stringify(publicJwk))],
  ];
}

function byForeignKey({ kid }: Material, { header, payload }: Parts): [string, string][] {
  const { privateKey: own, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" };
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey;
  const ed = generateKeyPairSync("ed25519").privateKey;
  const by = (key: KeyObject, alg: string, hash: string | null) => {
    const input = `${encode({ ...header, alg })}.${encode(payload)}`;
    return `${input}.${sign(hash, Buffer.from(input), key).toString("base64url")}`;
  };
  const url = "https://evil.example/jwks.json";
  return [
    ["other key, our kid", signed(header, payload, own)],
    ["other key, its kid", signed({ ...header, kid: "theirs" }, payload, own)],
    ["other key, no kid", signed(without(header, "kid"), payload, own)],
    ["jwk in the header", signed({ ...header, jwk }, payload, own)],
    ["jwk in the header, no kid", signed({ ...without(header, "kid"), jwk }, payload, own)],
    ["jku in the header", signed({ ...header, jku: url }, payload, own)],
    ["x5u in the header", signed({ ...header, x5u: url }, payload, own)],
    ["x5c in the header", signed({ ...header, x5c: [encode("certificate")] }, payload, own)],
    ["kid as an address", signed({ ...header, kid: url }, payload, own)],
    ["kid as a path", keyed({ ...header, alg: "HS256", kid: "../../../dev/null" }, payload, "")],
    ["kid as SQL", signed({ ...header, kid: "x' union select 'key" }, payload, own)],
    ["kid of a prototype", signed({ ...header, kid: "__proto__" }, payload, own)],
    ["ES384 by another key", signed({ ...header, alg: "ES384" }, payload, p384)],
    ["RS256 by another key", by(rsa, "RS256", "sha256")],
    ["EdDSA by another key", by(ed, "EdDSA", null)],
  ];
}

/** By our own key, with a header that must not pass. */
function byHeader({ privateKey }: Material, { header, payload }: Parts): [string, string][] {
  const own = (change: Part) => signed({ ...header, ...change }, payload, privateKey);
  return [
    ["kid unknown, our own key", own({ kid: "unknown" })],
    ["kid left out, our own key", signed(without(header, "kid"), payload, privateKey)],
    ["kid as a list, our own key", own({ kid: [header["kid"]] })],
    ["typ JWT, our own key", own({ typ: "JWT" })],
    ["typ of an ID token, our own key", own({ typ: "id_token+jwt" })],
    ["typ left out, our own key", signed(without(header, "typ"), payload, privateKey)],
    ["crit that nobody knows, our own key", own({ crit: ["unknown"], unknown: true })],
    ["crit empty, our own key", own({ crit: [] })],
  ];
}

/** By our own key, with a claim that must not pass. */
function byClaim({ privateKey, nowSeconds, issuer }: Material, { header, payload }: Parts): [string, string][] {
  const own = (change: Part) => signed(header, { ...payload, ...change }, privateKey);
  const missing = (name: string): [string, string] => [
    `${name} left out, our own key`,
    signed(header, without(payload, name), privateKey),
  ];
  return [
    ...["exp", "iat", "sub", "sid", "iss", "aud"].map(missing),
    ["exp in the past, our own key", own({ exp: nowSeconds - 60 })],
    ["exp as a text, our own key", own({ exp: String(nowSeconds + 600) })],
    ["exp of zero, our own key", own({ exp: 0 })],
    ["exp of null, our own key", own({ exp: null })],
    ["nbf in the future, our own key", own({ nbf: nowSeconds + 600 })],
    ["iss of another, our own key", own({ iss: "https://evil.example" })],
    ["iss with a slash more, our own key", own({ iss: `${issuer}/` })],
    ["aud of another, our own key", own({ aud: "another" })],
    ["aud as a list of others, our own key", own({ aud: ["another", "third"] })],
    ["sub as a number, our own key", own({ sub: 7 })],
    ["sid as a list, our own key", own({ sid: [payload["sid"]] })],
  ];
}

function bySession(
  { privateKey, otherUserId, endedSessionId }: Material,
  { header, payload }: Parts,
): [string, string][] {
  const own = (change: Part) => signed(header, { ...payload, ...change }, privateKey);
  return [
    ["session of another person, our own key", own({ sub: otherUserId })],
    ["session that was ended, our own key", own({ sid: endedSessionId })],
    ["session that never was, our own key", own({ sid: "ses_00000000000000000000000000" })],
  ];
}

/** A valid token, cut, spliced or bent. */
function byText({ sibling, otherUserId }: Material, parts: Parts): [string, string][] {
  const { head, body, signature, payload, header } = parts;
  const bytes = Buffer.from(signature, "base64url");
  const bent = Buffer.from(bytes);
  bent[5] = (bent[5] ?? 0) ^ 1;
  const [, siblingBody = "", siblingSignature = ""] = sibling.split(".");
  const twice = `{"sub":"${otherUserId}",${JSON.stringify(payload).slice(1)}`;
  const doubled = JSON.stringify(header).replace("{", `{"alg":"none",`);
  return [
    ["payload with another sub", `${head}.${encode({ ...payload, sub: otherUserId })}.${signature}`],
    ["payload with a later exp", `${head}.${encode({ ...payload, exp: 9_999_999_999 })}.${signature}`],
    ["payload with a role", `${head}.${encode({ ...payload, role: "superadmin" })}.${signature}`],
    ["payload with a member twice", `${head}.${encode(twice)}.${signature}`],
    ["header with alg twice", `${encode(doubled)}.${body}.${signature}`],
    ["payload of another token", `${head}.${siblingBody}.${signature}`],
    ["signature of another token", `${head}.${body}.${siblingSignature}`],
    ["signature with a bit changed", `${head}.${body}.${bent.toString("base64url")}`],
    ["signature cut", `${head}.${body}.${signature.slice(0, -4)}`],
    [
      "signature with bytes more",
      `${head}.${body}.${Buffer.concat([bytes, bytes.subarray(0, 4)]).toString("base64url")}`,
    ],
    ["signature of zeros", `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`],
    ["signature of ones", `${head}.${body}.${Buffer.alloc(64, 255).toString("base64url")}`],
    ["signature left out", `${head}.${body}.`],
    ["two parts", `${head}.${body}`],
    ["four parts", `${head}.${body}.${signature}.${signature}`],
    ["five parts, as if encrypted", `${head}..${body}.${signature}.${signature}`],
    ["payload that is no JSON", `${head}.${encode("not json")}.${signature}`],
    ["payload that is a list", `${head}.${encode([payload])}.${signature}`],
    ["nothing but dots", ".."],
  ];
}
