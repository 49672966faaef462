/** Makes, hashes and derives the secrets of tokens. Nothing here can be turned back into a token. */
import { createHash, createHmac, randomBytes } from "node:crypto";
import { readSecret, writeSecret } from "./rows.ts";

/** 256 random bits in 43 characters of base64url. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** Plain SHA-256 is enough: the input has 256 random bits, and looking a hash up reveals nothing about its preimage. */
export function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

/** This object's own key; made when the first refresh needs it. */
export function successorKey(sql: SqlStorage): Uint8Array {
  const known = readSecret(sql, "successor");
  if (known) return known;
  const key = new Uint8Array(randomBytes(32));
  writeSecret(sql, "successor", key);
  return key;
}

/**
 * The tokens that follow a refresh token: a keyed hash of the token itself. So the same ones come out of each parallel refresh
 * without being stored. They need both the presented token, which is stored only as a hash, and the object's key: neither a reader
 * of the storage nor the thief of an old token can compute them.
 */
export function successorsOf(
  secret: string,
  session: { id: string; ttlSeconds: number | null },
  key: Uint8Array,
): { tokenSecret: string | null; refreshSecret: string } {
  const derive = (kind: "session" | "refresh") =>
    createHmac("sha256", key).update(`${kind}\n${session.id}\n${secret}`).digest("base64url");
  return { tokenSecret: session.ttlSeconds === null ? null : derive("session"), refreshSecret: derive("refresh") };
}
