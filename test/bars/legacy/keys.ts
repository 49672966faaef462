/** Keys and the pages without sign-in. `/api/keys` is system A's for encryption keys, and by the same table another client's for API keys. */
import { createHash } from "node:crypto";
import type { LegacyPerson } from "./accounts.ts";
import { checkMembers, isTime, type Json, type LegacyClient } from "./client.ts";

export async function replayEncryptionKeys(client: LegacyClient, { token, userId }: LegacyPerson): Promise<void> {
  const made = await client.call("POST", "/api/keys", 201, { token, body: { userId, keyType: "user" } });
  checkMembers(client, "keys", made.body, { success: "boolean", data: "object" });
  checkMembers(client, "keys.data", made.body?.data, {
    id: "string",
    keyType: "string",
    version: "number",
    state: "string",
    fingerprint: "string",
    createdAt: "string",
  });
  const again = await client.call("POST", "/api/keys", 200, { token, body: { userId, keyType: "user" } });
  client.check(again.body?.data?.id === made.body?.data?.id, "answer: asking twice makes two active user keys");
  // Any 32 bytes that differ; it is the key of nothing.
  const keyHex = createHash("sha256").update(userId).digest("hex");
  const imported = await client.call("POST", "/api/keys", 201, {
    token,
    body: { userId: "carol", keyType: "master", keyHex, description: "from the old server" },
  });
  client.check(imported.body?.data?.keyType === "master", `answer: an imported key is ${imported.body?.data?.keyType}`);
  client.check(!imported.bytes.toString("utf8").includes(keyHex), "answer: key material is returned");
  await client.call("POST", "/api/keys", 422, {
    token,
    body: { userId: "usr_00000000000000000000000000", keyType: "user" },
  });

  await replayRotation(client, { token, userId, firstId: made.body?.data?.id, keyHex });
}

interface Rotating {
  token: string;
  userId: string;
  firstId: unknown;
  keyHex: string;
}

async function replayRotation(client: LegacyClient, { token, userId, firstId, keyHex }: Rotating): Promise<void> {
  const rotated = await client.call("POST", `/api/keys/${userId}/rotate`, 200, { token });
  checkMembers(client, "rotation.data", rotated.body?.data, { key: "object", previous: "object" });
  client.check(rotated.body?.data?.previous?.id === firstId, "answer: rotation did not replace the active user key");
  const list = await client.call("GET", `/api/keys/${userId}`, 200, { token });
  const keys = (list.body?.keys ?? []) as Json[];
  client.check(
    keys.some(({ id, state }) => id === rotated.body?.data?.key?.id && state === "active"),
    "answer: the new key is not listed as active",
  );
  client.check(!list.bytes.toString("utf8").includes(keyHex), "answer: key material is listed");
  await client.call("GET", "/api/keys/usr_00000000000000000000000000", 404, { token });
  await client.call("POST", "/api/keys/usr_00000000000000000000000000/rotate", 404, { token });
}

/** Returns a key for the clients that send one. */
export async function replayApiKeys(client: LegacyClient, { token }: LegacyPerson): Promise<string> {
  const kept = await client.call("POST", "/api/keys", 201, { token, body: { name: "old script" } });
  const spare = await client.call("POST", "/api/keys", 201, { token, body: { name: "spare" } });
  const list = await client.call("GET", "/api/keys", 200, { token });
  client.check(
    Array.isArray(list.body) && list.body.length === 2,
    `shape: GET /api/keys is not a bare array of both keys`,
  );
  const gone = await client.call("DELETE", `/api/keys/${spare.body?.id}`, 200, { token });
  client.check(gone.body?.success === true, "shape: deleting an API key does not say success");
  await replayKeysAt(client, "/api/keys", token);
  await replayKeysAt(client, "/users/me/api-keys", token);
  return String(kept.body?.key);
}

/** As system C's client manages them: made and shown once, listed with a preview, validated, renamed, switched off, deleted. */
async function replayKeysAt(client: LegacyClient, root: string, token: string): Promise<void> {
  const body = { name: "editor", expires_in_days: 30, description: "of no use to us" };
  const made = await client.call("POST", root, 201, { token, body });
  checkMembers(client, root, made.body, { id: "string", api_key: "string", preview: "string", expires_at: "string" });
  client.check(
    made.body?.preview === made.body?.api_key?.slice(0, 8),
    "shape: the preview is not the first 8 characters",
  );
  const apiKey = String(made.body?.api_key);
  const list = await client.call("GET", root, 200, { token });
  const listed = (list.body as Json[]).find(({ id }) => id === made.body?.id);
  checkMembers(client, `${root} list`, listed, {
    name: "string",
    preview: "string",
    is_active: "boolean",
    created_at: "time",
  });
  client.check(!list.bytes.toString("utf8").includes(apiKey), "answer: a key is listed in the clear");
  const own = await client.call("GET", `${root}/validate`, 200, { apiKey });
  client.check(
    own.body?.is_valid === true && own.body?.key_id === made.body?.id,
    "answer: a key is not valid to itself",
  );
  const asked = await client.call("POST", `${root}/validate`, 200, { token, body: { api_key: `${apiKey}x` } });
  client.check(asked.body?.is_valid === false, "answer: a forged key is valid");
  const off = await client.call("PUT", `${root}/${made.body?.id}`, 200, {
    token,
    body: { name: "old", is_active: false },
  });
  client.check(off.body?.is_active === false && off.body?.name === "old", "answer: a key is not switched off");
  await client.call("POST", root, 422, { token, body: { name: "x", role: "admin" } });
  await client.call("DELETE", `${root}/${made.body?.id}`, 200, { token });
}

export async function replayPages(client: LegacyClient): Promise<void> {
  const health = await client.call("GET", "/health", 200);
  checkMembers(client, "health", health.body, {
    status: "string",
    timestamp: "time",
    uptime: "number",
    environment: "string",
    database: "string",
  });
  const status = await client.call("GET", "/api/status", 200);
  client.check(
    isTime(status.body?.timestamp) && typeof status.body?.status === "string",
    "shape: /api/status has no status and timestamp",
  );
  const slashed = await client.call("GET", "/api/status/", 200);
  client.check(slashed.body?.status === status.body?.status, "answer: a trailing slash makes another answer");
  await client.call("GET", "/api/nothing-here", 404);
}
