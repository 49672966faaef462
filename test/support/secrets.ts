/** Secrets for tests: made anew for each run, so that no secret-looking value is in the repository. */
import { generateKeyPairSync, randomBytes } from "node:crypto";

export function testSecrets(): { MASTER_KEYS: string; JWT_PRIVATE_JWKS: string } {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig", kid: "test" };
  return {
    MASTER_KEYS: `1:${randomBytes(32).toString("base64")}`,
    JWT_PRIVATE_JWKS: JSON.stringify({ keys: [jwk] }),
  };
}
