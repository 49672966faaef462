/** What a deployment sets for itself, for tests: secrets made anew for each run, so that no secret-looking value is in the repository. */
import { generateKeyPairSync, randomBytes } from "node:crypto";

export function testSettings(): Record<string, string> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig", kid: "test" };
  return {
    ENVIRONMENT: "test",
    PUBLIC_URL: "http://127.0.0.1:8787",
    R2_S3_ENDPOINT: "http://127.0.0.1:8787/cdn-cgi/local/r2/s3",
    R2_ACCESS_KEY_ID: "local",
    R2_SECRET_ACCESS_KEY: "local-development-only",
    MASTER_KEYS: `1:${randomBytes(32).toString("base64")}`,
    JWT_PRIVATE_JWKS: JSON.stringify({ keys: [jwk] }),
    CHECK_RESPONSES: "on",
    // Tests wait for what runs behind an answer.
    KEY_USAGE_FLUSH_SECONDS: "0",
    OUTBOUND_TENANT_ALLOW: "127.0.0.1",
  };
}
