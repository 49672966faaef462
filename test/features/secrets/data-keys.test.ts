/** Data keys: what opens them, what never does, and what ends them. */
import { describe, expect, it } from "vitest";
import { createDataKey, destroyDataKeys } from "#features/secrets/service";
import { bindings, call, type Person, signUp } from "#test/support/harness";
import { actAs, newMasterHex, open, refusal, storeDataKeys } from "./acting.ts";

const keysPath = "/v1/encryption-keys";

async function userKey(person: Person): Promise<string> {
  return (await person.call("POST", keysPath, { body: { keyType: "user" } })).body.id;
}

const setColumn = (
  table: "data_keys" | "encryption_keys",
  column: string,
  { id, value }: { id: string; value: string | number },
) => bindings.DB.prepare(`update ${table} set ${column} = ? where id = ?`).bind(value, id).run();

/** The same base64 with one bit of its last byte before the padding changed. */
function flipped(wrapped: string, index: number): string {
  const bytes = Buffer.from(wrapped, "base64");
  bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index);
  return bytes.toString("base64");
}

async function wrappedKey(table: "data_keys" | "encryption_keys", id: string): Promise<string> {
  return (
    (
      await bindings.DB.prepare(`select wrapped_key as wrapped from ${table} where id = ?`)
        .bind(id)
        .first<{ wrapped: string }>()
    )?.wrapped ?? ""
  );
}

describe("a data key", () => {
  it("is made under the person's user key on first use, opens again, and is random", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const [first, second] = await storeDataKeys(ctx, 2);
    expect(first?.keyId).toMatch(/^[0-9a-f]{32}$/);
    expect(first?.raw).toMatch(/^[0-9a-f]{64}$/);
    expect(first?.raw).not.toBe(second?.raw);
    expect(await open(ctx, first?.keyId ?? "")).toBe(first?.raw);
    const { items } = (await person.call("GET", keysPath)).body;
    expect(items).toHaveLength(1);
    const named = await createDataKey(ctx, { conversionId: "conv_x", encryptionKeyId: items[0].id });
    expect(named.encryptionKeyId).toBe(items[0].id);
    expect(await wrappedKey("data_keys", first?.keyId ?? "")).not.toContain(first?.raw ?? "");
  });

  it("is nothing until its statement is committed", async () => {
    const ctx = actAs(await signUp());
    const { keyId } = await createDataKey(ctx, { conversionId: "conv_x", encryptionKeyId: null });
    expect(await refusal(open(ctx, keyId))).toBe("encryption-key-wrong");
  });

  it("does not open in another workspace, nor under an id that was never one", async () => {
    const [ctx, stranger] = [actAs(await signUp()), actAs(await signUp())];
    const [made] = await storeDataKeys(ctx, 1);
    await storeDataKeys(stranger, 1);
    for (const [asking, id] of [
      [stranger, made?.keyId],
      [ctx, "00".repeat(16)],
      [ctx, ""],
      [ctx, `${made?.keyId} `],
      [ctx, made?.keyId.toUpperCase().padStart(33, "A")],
    ] as const) {
      expect(await refusal(open(asking, id ?? ""))).toBe("encryption-key-wrong");
    }
  });

  it("does not open when its row is moved to another workspace that has a key of its own", async () => {
    const [person, thief] = [await signUp(), await signUp()];
    const [made] = await storeDataKeys(actAs(person), 1);
    const id = made?.keyId ?? "";
    await setColumn("data_keys", "workspace_id", { id, value: thief.workspaceId });
    expect(await refusal(open(actAs(thief), id))).toBe("encryption-key-wrong");
    await setColumn("data_keys", "encryption_key_id", { id, value: await userKey(thief) });
    expect(await refusal(open(actAs(thief), id))).toBe("encryption-key-damaged");
  });

  it.each([
    ["version", 0],
    ["nonce", 1],
    ["ciphertext", 13],
    ["tag", 60],
  ])("does not open with an altered %s in any level", async (_, index) => {
    const person = await signUp();
    const ctx = actAs(person);
    const [made] = await storeDataKeys(ctx, 1);
    const id = made?.keyId ?? "";
    for (const [table, rowId] of [
      ["data_keys", id],
      ["encryption_keys", await userKey(person)],
    ] as const) {
      const stored = await wrappedKey(table, rowId);
      for (const broken of [flipped(stored, index), stored.slice(0, -4), "", "!"]) {
        await setColumn(table, "wrapped_key", { id: rowId, value: broken });
        expect(await refusal(open(ctx, id))).toBe("encryption-key-damaged");
      }
      await setColumn(table, "wrapped_key", { id: rowId, value: stored });
      expect(await open(ctx, id)).toBe(made?.raw);
    }
  });

  it("is bound to its row, the key's version and the key's type", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const [one, two] = await storeDataKeys(ctx, 2);
    const [first, second] = [one?.keyId ?? "", two?.keyId ?? ""];
    const encryptionKeyId = await userKey(person);
    await setColumn("data_keys", "wrapped_key", { id: first, value: await wrappedKey("data_keys", second) });
    expect(await refusal(open(ctx, first))).toBe("encryption-key-damaged");
    await setColumn("encryption_keys", "version", { id: encryptionKeyId, value: 2 });
    expect(await refusal(open(ctx, second))).toBe("encryption-key-damaged");
    await setColumn("encryption_keys", "version", { id: encryptionKeyId, value: 1 });
    await setColumn("encryption_keys", "key_type", { id: encryptionKeyId, value: "master" });
    expect(await refusal(open(ctx, second))).toBe("encryption-key-damaged");
    await setColumn("encryption_keys", "key_type", { id: encryptionKeyId, value: "user" });
    expect(await open(ctx, second)).toBe(two?.raw);
  });

  it("waits for a master key that is not configured here instead of failing for good", async () => {
    const ctx = actAs(await signUp());
    const [made] = await storeDataKeys(ctx, 1);
    const elsewhere = {
      ...ctx,
      settings: { ...ctx.settings, masterKeys: [{ version: 9, raw: ctx.random(32) }] },
    } as unknown as typeof ctx;
    expect(await refusal(open(elsewhere, made?.keyId ?? ""))).toBe("unavailable");
  });

  it("is refused under a key that is wrong for it", async () => {
    const [person, stranger] = [await signUp(), await signUp()];
    const ctx = actAs(person);
    const imported = await person.call("POST", keysPath, {
      body: { keyType: "master", format: 1, keyHex: newMasterHex(), userId: "alice" },
    });
    const old = await userKey(person);
    await person.call("POST", `${keysPath}/${old}/rotate`);
    for (const [encryptionKeyId, code] of [
      ["ekey_01kahs7m3n0000000000000000", "encryption-key-not-found"],
      [await userKey(stranger), "encryption-key-not-found"],
      [imported.body.id, "encryption-key-not-found"],
      [old, "encryption-key-deactivated"],
    ] as const) {
      expect(await refusal(createDataKey(ctx, { conversionId: "conv_x", encryptionKeyId }))).toBe(code);
    }
  });

  it("is refused under another member's key of the same workspace", async () => {
    const [host, guest] = [await signUp(), await signUp()];
    const member = Object.assign(actAs(guest), { workspaceId: host.workspaceId });
    const encryptionKeyId = await userKey(host);
    expect(await refusal(createDataKey(member, { conversionId: "conv_x", encryptionKeyId }))).toBe(
      "encryption-key-not-found",
    );
  });
});

describe("the end of a data key", () => {
  it("comes by destruction, of that conversion and workspace only, and leaves no bytes", async () => {
    const ctx = actAs(await signUp());
    const stranger = actAs(await signUp());
    const [gone, stays] = await storeDataKeys(ctx, 2);
    await stranger.db.batch([destroyDataKeys(stranger, gone?.conversionId ?? "")]);
    expect(await open(ctx, gone?.keyId ?? "")).toBe(gone?.raw);
    await ctx.db.batch([destroyDataKeys(ctx, gone?.conversionId ?? "")]);
    expect(await refusal(open(ctx, gone?.keyId ?? ""))).toBe("encryption-key-destroyed");
    expect(await open(ctx, stays?.keyId ?? "")).toBe(stays?.raw);
    expect(await wrappedKey("data_keys", gone?.keyId ?? "")).toBe("");
  });

  it("comes when its encryption key is deactivated", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const [made] = await storeDataKeys(ctx, 1);
    const encryptionKeyId = await userKey(person);
    await person.call("POST", `${keysPath}/${encryptionKeyId}/deactivate`);
    expect(await refusal(open(ctx, made?.keyId ?? ""))).toBe("encryption-key-deactivated");
    expect(await refusal(createDataKey(ctx, { conversionId: "conv_x", encryptionKeyId }))).toBe(
      "encryption-key-deactivated",
    );
  });
});

describe("session keys", () => {
  const create = (person: Person, as?: string) =>
    person.call("POST", keysPath, { body: { keyType: "session" }, ...(as ? { as } : {}) });

  it("are one a session, and end with it", async () => {
    const person = await signUp();
    const made = await create(person);
    expect(made).toMatchObject({ status: 201, body: { keyType: "session", format: 2, state: "active" } });
    expect(Date.parse(made.body.expiresAt)).toBeGreaterThan(Date.now());
    expect(await create(person)).toMatchObject({ status: 200, body: { id: made.body.id } });
    const ctx = actAs(person);
    const [sealed] = await storeDataKeys(ctx, 1, made.body.id);
    expect(await open(ctx, sealed?.keyId ?? "")).toBe(sealed?.raw);

    const again = await call("POST", "/v1/auth/login", { body: { email: person.email, password: person.password } });
    const token = again.body.access_token as string;
    const other = actAs({ ...person, token });
    expect(await refusal(createDataKey(other, { conversionId: "conv_x", encryptionKeyId: made.body.id }))).toBe(
      "encryption-key-not-found",
    );
    expect((await create(person, token)).body.id).not.toBe(made.body.id);

    expect((await person.call("POST", "/v1/auth/logout", { body: {} })).status).toBe(204);
    expect(await refusal(open(ctx, sealed?.keyId ?? ""))).toBe("encryption-key-deactivated");
    expect(await refusal(createDataKey(ctx, { conversionId: "conv_x", encryptionKeyId: made.body.id }))).toBe(
      "encryption-key-deactivated",
    );
    const shown = await person.call("GET", `${keysPath}/${made.body.id}`, { as: token });
    expect(shown.body).toMatchObject({ state: "deactivated" });
    const { items } = (await person.call("GET", keysPath, { as: token })).body;
    expect(items.map((key: { state: string }) => key.state)).toEqual(["active", "deactivated"]);
  });

  it("refuse to open where the session cannot be asked", async () => {
    const person = await signUp();
    const made = await create(person);
    const ctx = actAs(person);
    const [sealed] = await storeDataKeys(ctx, 1, made.body.id);
    const { db, settings, workspaceId } = ctx;
    const blind = { db, settings, workspaceId, now: () => Date.now() };
    expect(await refusal(open(blind, sealed?.keyId ?? ""))).toBe("encryption-key-deactivated");
    expect(await open({ ...blind, objects: ctx.objects }, sealed?.keyId ?? "")).toBe(sealed?.raw);
  });

  it("stop when the session expires", async () => {
    const person = await signUp();
    const made = await create(person);
    const ctx = actAs(person);
    const [sealed] = await storeDataKeys(ctx, 1, made.body.id);
    const later = Date.now() + 40 * 86_400_000;
    expect(await refusal(open({ ...ctx, now: () => later }, sealed?.keyId ?? ""))).toBe("encryption-key-deactivated");
  });

  it("are not rotated and belong to their person alone", async () => {
    const [host, guest] = [await signUp(), await signUp()];
    const made = await create(host);
    expect(await host.call("POST", `${keysPath}/${made.body.id}/rotate`)).toMatchObject({
      status: 409,
      body: { code: "encryption-key-not-rotatable" },
    });
    await bindings.DB.prepare(
      "insert into workspace_members (workspace_id, user_id, role, created_at) values (?, ?, 'owner', 0)",
    )
      .bind(host.workspaceId, guest.userId)
      .run();
    const headers = { "x-workspace-id": host.workspaceId };
    expect((await guest.call("GET", `${keysPath}/${made.body.id}`, { headers })).status).toBe(404);
    expect((await guest.call("GET", keysPath, { headers })).body.items).toEqual([]);
  });
});
