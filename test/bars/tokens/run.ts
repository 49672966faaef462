/** `npm run bar:tokens`: forged access tokens, and refreshes that come together. */
import { createPrivateKey, randomBytes } from "node:crypto";
import { join } from "node:path";
import { readDevVars } from "../../../src/cli/dev-vars.ts";
import { type Bar, type BarOptions, type BarResult, main, note } from "../options.ts";
import { openStage, type Patch, type Stage } from "../stage.ts";
import { forgeries, genuine, type Material } from "./forgeries.ts";
import { isSignedIn, refreshAtOnce, refreshInTabs, replayLater, type Report, type Tokens } from "./refreshes.ts";

const leastForgeries = 40;
const accessToken = "src/features/accounts/access-token.ts";
const sessionStore = "src/durable/session-store/object.ts";

interface Mutant {
  /** Which half of the bar sees it. */
  half: "forgeries" | "refreshes";
  provenBy: string;
  patch: Patch;
}

const verifies = 'import { importJWK, jwtVerify, SignJWT } from "jose";';
const decodes = `import { decodeJwt, importJWK, SignJWT } from "jose";
const jwtVerify = async (token: string, ..._: unknown[]) => ({ payload: decodeJwt(token) });`;

const mutants: Record<string, Mutant> = {
  "no-signature": {
    half: "forgeries",
    provenBy: "alg none",
    patch: { file: accessToken, find: verifies, replace: decodes },
  },
  "any-type": {
    half: "forgeries",
    provenBy: "typ",
    patch: { file: accessToken, find: '      typ: "at+jwt",\n', replace: "" },
  },
  "any-issuer": {
    half: "forgeries",
    provenBy: "iss",
    patch: { file: accessToken, find: "      issuer: settings.publicUrl,\n", replace: "" },
  },
  "any-audience": {
    half: "forgeries",
    provenBy: "aud",
    patch: { file: accessToken, find: "      audience,\n", replace: "" },
  },
  "key-of-the-token": {
    half: "forgeries",
    provenBy: "jwk",
    patch: {
      file: accessToken,
      find: "(header) => keyFor(ring, header.kid)",
      replace: '(header) => (header.jwk ? importJWK(header.jwk, "ES256") : keyFor(ring, header.kid))',
    },
  },
  "any-session": {
    half: "forgeries",
    provenBy: "session",
    patch: {
      file: "src/app/credentials.ts",
      find: "if (!session.active) throw",
      replace: "if (ctx.now() === 0) throw",
    },
  },
  "no-grace": {
    half: "refreshes",
    provenBy: "refresh",
    patch: {
      file: sessionStore,
      find: "if (token.retiredAtMs !== null) return this.#sameSuccessor(session, request.secret);",
      replace: 'if (token.retiredAtMs !== null) return { ok: false, reason: "reused" };',
    },
  },
  "endless-grace": {
    half: "refreshes",
    provenBy: "replay",
    patch: { file: sessionStore, find: "nowMs - token.retiredAtMs > graceMs", replace: "nowMs < 0" },
  },
};

/** A load test comes from one address; the limits of an address are other tests' matter. */
const lifted: Patch[] = [
  {
    file: "src/core/limits.ts",
    find: 'register: { name: "register", quota: 60,',
    replace: 'register: { name: "register", quota: 100_000,',
  },
  {
    file: "src/core/limits.ts",
    find: 'open: { name: "open", quota: 600,',
    replace: 'open: { name: "open", quota: 100_000,',
  },
];

interface Person extends Tokens {
  userId: string;
  email: string;
  password: string;
}

async function post<Body>(url: string, body: unknown, token?: string): Promise<Body> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status} ${text}`);
  return (text ? JSON.parse(text) : null) as Body;
}

async function register(url: string): Promise<Person> {
  const email = `bar-${randomBytes(8).toString("hex")}@example.com`;
  const password = randomBytes(18).toString("base64url");
  const { session, user } = await post<{ session: Tokens; user: { id: string } }>(`${url}/v1/auth/register`, {
    email,
    password,
    signIn: true,
  });
  return { ...session, userId: user.id, email, password };
}

async function registerMany(url: string, count: number): Promise<Person[]> {
  const people: Person[] = [];
  const work = async () => {
    while (people.length < count) people.push(await register(url));
  };
  await Promise.all(Array.from({ length: 4 }, work));
  return people.slice(0, count);
}

async function collect(stage: Stage): Promise<Material> {
  const { JWT_PRIVATE_JWKS = "" } = await readDevVars(join(stage.folder, ".dev.vars"));
  const [jwk] = (JSON.parse(JWT_PRIVATE_JWKS) as { keys: Record<string, string>[] }).keys;
  const published = (await (await fetch(`${stage.url}/.well-known/jwks.json`)).json()) as {
    keys: Record<string, string>[];
  };
  const [publicJwk] = published.keys;
  if (!jwk || !publicJwk) throw new Error("There is no signing key.");
  const [person, other] = [await register(stage.url), await register(stage.url)];
  const signIn = () => post<Tokens>(`${stage.url}/v1/auth/login`, { email: person.email, password: person.password });
  const [sibling, ended] = [await signIn(), await signIn()];
  await post(`${stage.url}/v1/auth/logout`, undefined, ended.access_token);
  const claims = JSON.parse(Buffer.from(ended.access_token.split(".")[1] ?? "", "base64url").toString()) as {
    sid: string;
  };
  return {
    token: person.access_token,
    privateKey: createPrivateKey({ key: jwk, format: "jwk" }),
    kid: jwk["kid"] ?? "",
    publicJwk,
    issuer: stage.url,
    nowSeconds: Math.floor(Date.now() / 1_000),
    otherUserId: other.userId,
    endedSessionId: claims.sid,
    sibling: sibling.access_token,
  };
}

/** Two operations: one may answer from what the isolate remembers, the other asks everything anew. */
const doors = ["/v1/auth/me", "/v1/api-keys"];

async function tryForgeries(stage: Stage, report: Report): Promise<number> {
  const material = await collect(stage);
  report("genuine: a token of the product passes", await isSignedIn(stage.url, material.token));
  report("genuine: a token of the bar's signer passes", await isSignedIn(stage.url, genuine(material)));
  const forged = forgeries(material);
  for (const [name, token] of forged)
    for (const door of doors) {
      const answer = await fetch(`${stage.url}${door}`, { headers: { authorization: `Bearer ${token}` } });
      await answer.arrayBuffer();
      report(name, answer.status === 401, { door, status: answer.status });
    }
  report("count: enough forgeries", new Set(forged.map(([, token]) => token)).size >= leastForgeries, forged.length);
  note(`tokens: ${forged.length} forgeries at ${doors.length} doors`);
  return forged.length;
}

async function tryRefreshes(stage: Stage, count: number, report: Report): Promise<number> {
  const family = await refreshAtOnce(stage.url, await register(stage.url), report);
  const people = await registerMany(stage.url, count);
  const loggedOut = await refreshInTabs(stage.url, people, report);
  await replayLater(stage.url, family, report);
  return loggedOut;
}

async function run({ quick }: BarOptions, variant: string | null): Promise<BarResult> {
  const mutant = variant === null ? null : mutants[variant];
  const stage = await openStage([...lifted, ...(mutant ? [mutant.patch] : [])]);
  const violations: string[] = [];
  const report: Report = (what, holds, seen) => {
    if (!holds) violations.push(`${what} (${JSON.stringify(seen ?? null).slice(0, 200)})`);
  };
  const people = mutant ? 10 : quick ? 100 : 1_000;
  try {
    await stage.start();
    const tried = mutant?.half === "refreshes" ? null : await tryForgeries(stage, report);
    const loggedOut = mutant?.half === "forgeries" ? null : await tryRefreshes(stage, people, report);
    const accepted = violations.filter((violation) => violation.includes('"door"')).length;
    return { ok: violations.length === 0, violations, forgeries: tried, accepted, people, loggedOut };
  } finally {
    await stage.remove();
  }
}

export const bar: Bar = {
  name: "tokens",
  mutants: Object.entries(mutants).map(([name, { provenBy }]) => ({ name, provenBy })),
  run,
};

if (import.meta.main) await main(bar);
