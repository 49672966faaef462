/** Encryption keys through HTTP: making, importing, listing, deactivating, and who may do what. */
import { describe, expect, it } from "vitest";
import { listV1Masters, openV1Master } from "#features/secrets/service";
import { ensureUserKey } from "#features/secrets/own-keys";
import { bindings, call, type Person, signUp } from "#test/support/harness";
import { actAs, newMasterHex, refusal } from "./acting.ts";

const keysPath = "/v1/encryption-keys";
const create = (person: Person, body: unknown, headers: Record<string, string> = {}) =>
  person.call("POST", keysPath, { body, headers });
const importKey = (person: Person, change: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
  create(person, { keyType: "master", format: 1, keyHex: newMasterHex(), userId: "alice", ...change }, headers);

/** Makes `guest` a member of the host's workspace, straight in the table: inviting is another feature's. */
async function join(guest: Person, host: Person, role: string): Promise<Person> {
  await bindings.DB.prepare(
    "insert into workspace_members (workspace_id, user_id, role, created_at) values (?, ?, ?, 0)",
  )
    .bind(host.workspaceId, guest.userId, role)
    .run();
  const headers = { "x-workspace-id": host.workspaceId };
  return {
    ...guest,
    workspaceId: host.workspaceId,
    call: (method, path, options = {}) =>
      guest.call(method, path, { ...options, headers: { ...options.headers, ...headers } }),
  };
}

describe("user keys", () => {
  it("are made once a person, and never show key material", async () => {
    const person = await signUp();
    const first = await create(person, { keyType: "user", description: "mine" });
    expect(first).toMatchObject({
      status: 201,
      body: {
        keyType: "user",
        format: 2,
        version: 1,
        state: "active",
        description: "mine",
        externalUserId: null,
        rotatedAt: null,
        deactivatedAt: null,
        expiresAt: null,
      },
    });
    expect(first.body.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    expect(Object.keys(first.body).sort()).toEqual(
      [
        "createdAt",
        "deactivatedAt",
        "description",
        "expiresAt",
        "externalUserId",
        "fingerprint",
        "format",
        "id",
        "keyType",
        "rotatedAt",
        "state",
        "version",
      ].sort(),
    );
    const again = await create(person, { keyType: "user", userId: "me" });
    expect(again).toMatchObject({ status: 200, body: { id: first.body.id } });
  });

  it("stay one under ten parallel first uses, by HTTP and by the service", async () => {
    const [byHttp, byService] = [await signUp(), await signUp()];
    const answers = await Promise.all(Array.from({ length: 10 }, () => create(byHttp, { keyType: "user" })));
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    const made = await Promise.all(Array.from({ length: 10 }, () => ensureUserKey(actAs(byService))));
    expect(new Set(made.map(({ row }) => row.id)).size).toBe(1);
    expect(made.filter(({ isNew }) => isNew)).toHaveLength(1);
    const rows = await bindings.DB.prepare("select count(*) as keys from encryption_keys where user_id in (?, ?)")
      .bind(byHttp.userId, byService.userId)
      .first();
    expect(rows).toEqual({ keys: 2 });
    const audited = await bindings.DB.prepare(
      "select count(*) as acts from audit_log where action = 'encryption-key.created' and workspace_id in (?, ?)",
    )
      .bind(byHttp.workspaceId, byService.workspaceId)
      .first();
    expect(audited).toEqual({ acts: 2 });
  });

  it.each([
    ["another person's", { keyType: "user", userId: "usr_01kahs7m3n0000000000000000" }, "server-owned-member"],
    ["key material of one's own", { keyType: "user", keyHex: "00".repeat(32) }, "validation-failed"],
    ["format 1", { keyType: "user", format: 1 }, "validation-failed"],
    ["an unknown type", { keyType: "root" }, "validation-failed"],
    ["an unknown member", { keyType: "user", state: "active" }, "validation-failed"],
  ])("refuse %s", async (_, body, code) => {
    expect(await create(await signUp(), body)).toMatchObject({ status: 422, body: { code } });
  });

  it("are replayed by their Idempotency-Key", async () => {
    const person = await signUp();
    const headers = { "idempotency-key": crypto.randomUUID() };
    const first = await create(person, { keyType: "user" }, headers);
    const second = await create(person, { keyType: "user" }, headers);
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
  });
});

describe("imported master keys", () => {
  it("open and seal in their workspace, bound to their user id", async () => {
    const person = await signUp();
    const keyHex = newMasterHex();
    const made = await importKey(person, {
      keyHex: keyHex.toUpperCase(),
      userId: " Alice ",
      description: "old studio",
    });
    expect(made).toMatchObject({
      status: 201,
      body: { keyType: "master", format: 1, version: 1, state: "active", externalUserId: "Alice" },
    });
    expect(JSON.stringify(made.body).toLowerCase()).not.toContain(keyHex.slice(0, 12));
    const other = await importKey(person, { userId: "bob" });
    const ctx = actAs(person);
    expect((await listV1Masters(ctx, "Alice")).map(({ id, raw }) => [id, Buffer.from(raw).toString("hex")])).toEqual([
      [made.body.id, keyHex],
    ]);
    expect(await listV1Masters(ctx, "alice")).toEqual([]);
    expect((await listV1Masters(ctx, null)).map(({ id }) => id).sort()).toEqual([made.body.id, other.body.id].sort());
    expect(Buffer.from((await openV1Master(ctx, made.body.id)).raw).toString("hex")).toBe(keyHex);
  });

  it("are stored wrapped only", async () => {
    const person = await signUp();
    const keyHex = newMasterHex();
    const made = await importKey(person, { keyHex });
    const row = await bindings.DB.prepare("select * from encryption_keys where id = ?")
      .bind(made.body.id)
      .first<{ wrapped_key: string }>();
    const raw = Buffer.from(keyHex, "hex");
    expect(Buffer.from(row?.wrapped_key ?? "", "base64").length).toBe(1 + 12 + 32 + 16);
    for (const form of [keyHex, raw.toString("base64").slice(0, 40), raw.toString("base64url").slice(0, 40)])
      expect(JSON.stringify(row)).not.toContain(form);
    const audit = await bindings.DB.prepare("select details from audit_log where target = ?")
      .bind(made.body.id)
      .first<{ details: string }>();
    expect(audit?.details).toContain("alice");
    expect(audit?.details).not.toContain(keyHex.slice(0, 12));
  });

  it("have the same fingerprint in one workspace only", async () => {
    const [one, two] = [await signUp(), await signUp()];
    const keyHex = newMasterHex();
    const first = await importKey(one, { keyHex });
    const second = await importKey(one, { keyHex, userId: "bob" });
    const foreign = await importKey(two, { keyHex });
    expect(second.body.fingerprint).toBe(first.body.fingerprint);
    expect(foreign.body.fingerprint).not.toBe(first.body.fingerprint);
  });

  it("are taken once for a user id, also at the same moment, and anew after a deactivation", async () => {
    const person = await signUp();
    const keyHex = newMasterHex();
    const answers = await Promise.all(Array.from({ length: 5 }, () => importKey(person, { keyHex })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409, 409, 409, 409]);
    const id = answers.find((answer) => answer.status === 201)?.body.id as string;
    for (const answer of answers.filter(({ status }) => status === 409))
      expect(answer.body).toMatchObject({ code: "encryption-key-exists", encryptionKeyId: id });
    await person.call("POST", `${keysPath}/${id}/deactivate`);
    expect((await importKey(person, { keyHex })).status).toBe(201);
  });

  it.each([
    ["63 characters", { keyHex: newMasterHex().slice(1) }, "encryption-key-invalid"],
    ["not hexadecimal", { keyHex: "g".repeat(64) }, "encryption-key-invalid"],
    ["all zero", { keyHex: "00".repeat(32) }, "encryption-key-invalid"],
    [
      "15 different bytes",
      { keyHex: Buffer.from(Uint8Array.from({ length: 32 }, (_, index) => index % 15)).toString("hex") },
      "encryption-key-invalid",
    ],
    ["a blank user id", { userId: "  " }, "encryption-key-invalid"],
    ["a path as user id", { userId: "../alice" }, "encryption-key-invalid"],
    ["a user id of 256 characters", { userId: "a".repeat(256) }, "encryption-key-invalid"],
    ["format 2", { format: 2 }, "validation-failed"],
    ["no user id", { userId: undefined }, "validation-failed"],
  ])("refuse %s", async (_, change, code) => {
    const keyHex = newMasterHex();
    const answer = await importKey(await signUp(), { keyHex, ...change });
    expect(answer).toMatchObject({ status: 422, body: { code } });
    expect(JSON.stringify(answer.body)).not.toContain(keyHex);
  });

  it("stop at fifty a workspace", async () => {
    const person = await signUp();
    const made = await importKey(person);
    await bindings.DB.prepare(
      `insert into encryption_keys select encryption_keys.id || value, workspace_id, user_id, key_type, format, version, state, wrapped_key, master_version,
       fingerprint || value, description, external_user_id, session_id, expires_at, created_at, rotated_at, deactivated_at
       from encryption_keys, json_each(?) where encryption_keys.id = ?`,
    )
      .bind(JSON.stringify(Array.from({ length: 49 }, (_, index) => index + 100)), made.body.id)
      .run();
    expect(await importKey(person)).toMatchObject({ status: 409, body: { code: "encryption-key-limit-reached" } });
    // The copies stand under other ids than they were wrapped for: they are left out, and the true one still opens.
    expect((await listV1Masters(actAs(person), "alice")).map(({ id }) => id)).toEqual([made.body.id]);
    await bindings.DB.prepare("delete from encryption_keys where id like ? and id <> ?")
      .bind(`${made.body.id}%`, made.body.id)
      .run();
  });

  it("are not for sealing in format 2, nor user keys in format 1", async () => {
    const person = await signUp();
    const user = await create(person, { keyType: "user" });
    expect(await refusal(openV1Master(actAs(person), user.body.id))).toBe("encryption-key-not-found");
  });
});

describe("who may do what", () => {
  it("hides keys of other workspaces behind the same 404 as unknown ones", async () => {
    const [owner, stranger] = [await signUp(), await signUp()];
    const made = await importKey(owner);
    for (const path of [made.body.id, "ekey_01kahs7m3n0000000000000000", "%00"]) {
      for (const [method, suffix] of [
        ["GET", ""],
        ["POST", "/rotate"],
        ["POST", "/deactivate"],
      ] as const) {
        expect(await stranger.call(method, `${keysPath}/${path}${suffix}`)).toMatchObject({
          status: 404,
          body: { code: "encryption-key-not-found" },
        });
      }
    }
    expect(await refusal(openV1Master(actAs(stranger), made.body.id))).toBe("encryption-key-not-found");
    expect(await listV1Masters(actAs(stranger), null)).toEqual([]);
    expect((await stranger.call("GET", keysPath)).body.items).toEqual([]);
    expect((await owner.call("GET", `${keysPath}/${made.body.id}`)).body).toEqual(made.body);
  });

  it("lets a member import keys of the own names only, and an admin any", async () => {
    const host = await signUp();
    const guest = await signUp();
    const [member, admin] = [await join(guest, host, "member"), await join(await signUp(), host, "admin")];
    for (const userId of [guest.userId, guest.email]) expect((await importKey(member, { userId })).status).toBe(201);
    expect(await importKey(member, { userId: "alice" })).toMatchObject({
      status: 403,
      body: { code: "permission-denied", requiredRole: ["owner", "admin"] },
    });
    expect((await importKey(admin, { userId: "alice" })).status).toBe(201);
    expect((await listV1Masters(actAs(host), "alice")).length).toBe(1);
  });

  it("lets a member see the workspace's imports and the own keys, and change only the own", async () => {
    const host = await signUp();
    const member = await join(await signUp(), host, "member");
    const hostKey = await create(host, { keyType: "user" });
    const imported = await importKey(host);
    const own = await create(member, { keyType: "user" });
    const ids = async (person: Person, query = "") =>
      (await person.call("GET", `${keysPath}${query}`)).body.items.map((key: { id: string }) => key.id);
    expect(await ids(member)).toEqual([own.body.id, imported.body.id]);
    expect(await ids(host)).toEqual([own.body.id, imported.body.id, hostKey.body.id]);
    expect(await ids(host, "?userId=me")).toEqual([imported.body.id, hostKey.body.id]);
    expect(await ids(host, "?keyType=master")).toEqual([imported.body.id]);
    expect(await member.call("GET", `${keysPath}?userId=${host.userId}`)).toMatchObject({
      status: 404,
      body: { code: "user-not-found" },
    });
    expect(await member.call("GET", `${keysPath}/${hostKey.body.id}`)).toMatchObject({ status: 404 });
    expect(await member.call("POST", `${keysPath}/${imported.body.id}/deactivate`)).toMatchObject({
      status: 403,
      body: { code: "permission-denied" },
    });
    expect(await host.call("POST", `${keysPath}/${own.body.id}/deactivate`)).toMatchObject({
      status: 200,
      body: { state: "deactivated" },
    });
  });

  it("refuses viewers, strangers and API keys without the scope", async () => {
    const host = await signUp();
    const viewer = await join(await signUp(), host, "viewer");
    expect(await viewer.call("GET", keysPath)).toMatchObject({ status: 403, body: { code: "permission-denied" } });
    expect((await call("GET", keysPath)).status).toBe(401);
    const narrow = await host.call("POST", "/v1/api-keys", { body: { name: "narrow", scopes: ["files:read"] } });
    expect(await call("GET", keysPath, { as: narrow.body.key })).toMatchObject({
      status: 403,
      body: { code: "permission-denied" },
    });
    const wide = await host.call("POST", "/v1/api-keys", { body: { name: "wide", scopes: ["encryption-keys:write"] } });
    const body = { keyType: "master", format: 1, keyHex: newMasterHex(), userId: "alice" };
    expect((await call("POST", keysPath, { as: wide.body.key, body })).status).toBe(201);
    expect(await call("POST", keysPath, { as: wide.body.key, body: { keyType: "session" } })).toMatchObject({
      status: 403,
      body: { code: "session-required" },
    });
  });

  it("pages newest first", async () => {
    const person = await signUp();
    const made = [];
    for (let index = 0; index < 3; index += 1)
      made.unshift((await importKey(person, { userId: `alice-${index}` })).body.id);
    const first = await person.call("GET", `${keysPath}?limit=2`);
    const second = await person.call("GET", `${keysPath}?limit=2&cursor=${first.body.nextCursor}`);
    expect([...first.body.items, ...second.body.items].map((key: { id: string }) => key.id)).toEqual(made);
    expect(second.body.nextCursor).toBeNull();
    expect(await person.call("GET", `${keysPath}?cursor=x`)).toMatchObject({
      status: 422,
      body: { code: "invalid-cursor" },
    });
  });
});

describe("deactivating", () => {
  it("is final, idempotent and audited once", async () => {
    const person = await signUp();
    const made = await importKey(person);
    const path = `${keysPath}/${made.body.id}`;
    const first = await person.call("POST", `${path}/deactivate`);
    expect(first).toMatchObject({ status: 200, body: { state: "deactivated" } });
    expect(Date.parse(first.body.deactivatedAt)).toBeGreaterThan(0);
    expect((await person.call("POST", `${path}/deactivate`)).body).toEqual(first.body);
    expect(await refusal(openV1Master(actAs(person), made.body.id))).toBe("encryption-key-deactivated");
    expect(await listV1Masters(actAs(person), null)).toEqual([]);
    const audited = await bindings.DB.prepare(
      "select count(*) as acts from audit_log where action = 'encryption-key.deactivated' and target = ?",
    )
      .bind(made.body.id)
      .first();
    expect(audited).toEqual({ acts: 1 });
  });

  it("of the user key makes the next use begin a new one", async () => {
    const person = await signUp();
    const first = await create(person, { keyType: "user" });
    expect((await person.call("POST", `${keysPath}/active/deactivate`)).body).toMatchObject({
      id: first.body.id,
      state: "deactivated",
    });
    expect(await create(person, { keyType: "user" })).toMatchObject({
      status: 201,
      body: { version: 2, state: "active" },
    });
  });
});
