/**
 * Makes what a fresh clone lacks: the local secrets in `.dev.vars` and the static files of the API reference.
 * Refuses to change a secret that is there: with another MASTER_KEYS every sealed file would be lost.
 */
import { spawnSync } from "node:child_process";
import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readDevVars, writeDevVars } from "./dev-vars.ts";
import { projectRoot } from "./local-wrangler.ts";

const secretMakers: Record<string, () => string> = { MASTER_KEYS: newMasterKeys, JWT_PRIVATE_JWKS: newSigningKeys };

/** Returns the names of the secrets that it made; an empty list when all were there. */
export async function setUp(file = join(projectRoot, ".dev.vars")): Promise<string[]> {
  makeAssets();
  const vars = await readDevVars(file);
  const missing = Object.keys(secretMakers).filter((name) => !vars[name]);
  if (missing.length === 0) return [];
  const made = Object.fromEntries(missing.map((name) => [name, secretMakers[name]?.() ?? ""]));
  await writeDevVars(file, made);
  return missing;
}

/** Version 1 of the master key: 32 random bytes. */
function newMasterKeys(): string {
  return `1:${randomBytes(32).toString("base64")}`;
}

/** One private key for access tokens (ES256, RFC 7518 section 3.4) as a JSON Web Key Set. */
function newSigningKeys(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return JSON.stringify({
    keys: [{ ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg: "ES256", use: "sig" }],
  });
}

/** What comes from `npm ci` too. Only when it is missing or old: a server that runs already would load them anew in the middle of its work. */
function makeAssets(): void {
  const assets = join(projectRoot, "dist/assets");
  const document = readText(join(projectRoot, "docs/openapi.json"));
  const isFresh =
    existsSync(join(assets, "reference/scalar.js")) && readText(join(assets, "openapi.json")) === document;
  if (!isFresh) runScript("scripts/assets.mjs");
  if (!existsSync(join(projectRoot, "dist/trimmed/stripe.js"))) runScript("scripts/trim.ts");
}

function runScript(script: string): void {
  const { status } = spawnSync(process.execPath, [script], { cwd: projectRoot, stdio: "inherit" });
  if (status !== 0) throw new Error(`${script} failed. Run npm ci first.`);
}

function readText(file: string): string | null {
  return existsSync(file) ? readFileSync(file, "utf8") : null;
}

if (import.meta.main) {
  const made = await setUp();
  process.stdout.write(
    made.length === 0
      ? "Everything is set up; nothing was changed.\n"
      : `Made ${made.join(" and ")} in .dev.vars (not in git; keep a copy if you keep sealed files).\n`,
  );
}
