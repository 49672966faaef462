/** `npm run bar:sign-in`: signing in at two real issuers, and everything that must not come through. */
import { type Bar, type BarResult, main, note } from "../options.ts";
import { openStage, type Patch } from "../stage.ts";
import { checks } from "./checks.ts";
import { startIssuer } from "./issuer.ts";

const methods = "src/features/sign-in-methods";

interface Mutant {
  provenBy: string;
  patches: Patch[];
}

const mutants: Record<string, Mutant> = {
  "any-browser": {
    provenBy: "foreign cookie",
    patches: [
      {
        file: `${methods}/oauth.ts`,
        find: `if (keyedHash(master, "one-time value", secret) !== data.browser)`,
        replace: "if (data.browser === undefined)",
      },
    ],
  },
  "any-target": {
    provenBy: "open redirect",
    patches: [
      { file: `${methods}/rules.ts`, find: "allowedOrigins.includes(url.origin)", replace: "url.origin.length > 0" },
    ],
  },
  "session-links": {
    provenBy: "linking by a session alone",
    patches: [
      {
        file: "src/features/accounts/recent-proof.ts",
        find: `else if (hasPassword(user.passwordPhc)) throw missing("password");`,
        replace: `else if (user.passwordPhc === "") throw missing("password");`,
      },
    ],
  },
  "any-verifier": {
    provenBy: "verifier",
    patches: [
      {
        file: `${methods}/rules.ts`,
        find: `createHash("sha256").update(verifier).digest("base64url") === challenge`,
        replace: `createHash("sha256").update(verifier).digest("base64url") !== ""`,
      },
    ],
  },
  "equal-address": {
    provenBy: "take-over",
    patches: [
      {
        file: `${methods}/linking.ts`,
        find: "if (owner) throw linkRequired(ctx, owner, identity);",
        replace: `if (owner) return { kind: "sign-in", userId: owner.id, identityId: "" };`,
      },
    ],
  },
  "any-address": {
    provenBy: "unverified",
    patches: [{ file: `${methods}/linking.ts`, find: "|| !identity.emailVerified", replace: "" }],
  },
};

async function run(_: unknown, variant: string | null): Promise<BarResult> {
  const issuers = { one: await startIssuer("overtone-one"), two: await startIssuer("overtone-two") };
  const providers = Object.fromEntries(
    Object.entries(issuers).map(([name, { clientId, clientSecret, url }]) => [
      name,
      { clientId, clientSecret, issuer: url },
    ]),
  );
  const stage = await openStage(variant === null ? [] : (mutants[variant]?.patches ?? []), {
    SIGN_IN_PROVIDERS: JSON.stringify(providers),
    ALLOWED_ORIGINS: "https://app.example.com",
  });
  const violations: string[] = [];
  let held = 0;
  try {
    await stage.start();
    for (const [name, issuer] of Object.entries(issuers)) issuer.allow(`${stage.url}/v1/auth/${name}/callback`);
    for (const check of checks) {
      note(`sign-in: ${check.name}`);
      const expect = (what: string, holds: boolean, seen?: unknown) => {
        if (holds) held += 1;
        else violations.push(`${what} (${JSON.stringify(seen ?? null).slice(0, 300)})`);
      };
      await check
        .run({ url: stage.url, issuers }, expect)
        .catch((error: Error) => void violations.push(`${check.name} broke off: ${error.message}`));
    }
  } finally {
    await stage.remove();
    await Promise.all(Object.values(issuers).map((issuer) => issuer.close()));
  }
  return { ok: violations.length === 0, violations, checksThatHeld: held };
}

export const bar: Bar = {
  name: "sign-in",
  mutants: Object.entries(mutants).map(([name, { provenBy }]) => ({ name, provenBy })),
  run,
};

if (import.meta.main) await main(bar);
