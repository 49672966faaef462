import { beforeAll, describe, expect, it } from "vitest";
import { makeId } from "#core/ids";
import { fileRowInsert } from "#features/media/store";
import { bindings, type Person, signUp, systemContext } from "#test/support/harness";

let person: Person;

beforeAll(async () => {
  person = await signUp();
});

const create = (key: string, body: unknown = { name: "a key" }) =>
  person.call("POST", "/v1/api-keys", { body, headers: { "idempotency-key": key } });
const count = async () => (await person.call("GET", "/v1/api-keys?limit=100")).body.items.length as number;

describe("Idempotency-Key", () => {
  it("replays status and body, without what was shown once", async () => {
    const key = crypto.randomUUID();
    const first = await create(key);
    const second = await create(key);
    expect(first.status).toBe(201);
    expect(second.status).toBe(201);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    const { key: secret, ...rest } = first.body;
    expect(secret).toMatch(/^ovt_live_/);
    expect(second.body).toEqual(rest);
  });

  it("refuses the same key with another body", async () => {
    const key = crypto.randomUUID();
    await create(key);
    expect(await create(key, { name: "another" })).toMatchObject({
      status: 422,
      body: { code: "idempotency-key-reused" },
    });
  });

  it("runs equal requests at once only one time", async () => {
    const before = await count();
    const key = crypto.randomUUID();
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(key)));
    expect((await count()) - before).toBe(1);
    for (const answer of answers) {
      if (answer.status === 201) continue;
      expect(answer).toMatchObject({ status: 409, body: { code: "idempotency-key-running" } });
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
  });

  it("lets a run that died be repeated, with the ids of the first run", async () => {
    const before = await count();
    const key = crypto.randomUUID();
    const first = await create(key);
    await bindings.DB.prepare("update idempotency_keys set status = null, body = null, locked_until = 1 where key = ?")
      .bind(key)
      .run();
    const again = await create(key);
    expect(again.body.id).toBe(first.body.id);
    expect(again.body.key).not.toBe(first.body.key);
    expect((await count()) - before).toBe(1);
    expect((await person.call("GET", "/v1/auth/me", { as: first.body.key })).status).toBe(401);
    expect((await person.call("GET", "/v1/auth/me", { as: again.body.key })).status).toBe(200);
  });

  it("frees the key when the request was refused", async () => {
    const key = crypto.randomUUID();
    expect((await create(key, { name: "" })).status).toBe(422);
    expect((await create(key)).status).toBe(201);
  });

  it.each([
    ["too long", "x".repeat(256)],
    ["with a space", "a b"],
  ])("refuses a key that is %s", async (_, key) => {
    expect(await create(key)).toMatchObject({ status: 422, body: { code: "idempotency-key-invalid" } });
  });

  it("tells two JSON bodies of one length apart where an operation reads its body itself", async () => {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const first = await person.call("POST", "/v1/convert/image-to-audio", {
      body: { fileIds: [await storedImage()] },
      headers,
    });
    expect(first.status).toBe(202);
    const other = await person.call("POST", "/v1/convert/image-to-audio", {
      body: { fileIds: [await storedImage()] },
      headers,
    });
    expect(other).toMatchObject({ status: 422, body: { code: "idempotency-key-reused" } });
  });

  it("does not give one person's answer to another of the same workspace", async () => {
    const colleague = await signUp();
    await bindings.DB.prepare(
      "insert into workspace_members (workspace_id, user_id, role, created_at) values (?, ?, 'admin', 0)",
    )
      .bind(person.workspaceId, colleague.userId)
      .run();
    const headers = { "idempotency-key": crypto.randomUUID(), "x-workspace-id": person.workspaceId };
    const body = { keyType: "user" };
    expect((await person.call("POST", "/v1/encryption-keys", { body, headers })).status).toBe(201);
    expect(await colleague.call("POST", "/v1/encryption-keys", { body, headers })).toMatchObject({
      status: 422,
      body: { code: "idempotency-key-reused" },
    });
  });

  it("keeps no presigned URL, and replays an upload with URLs that work now", async () => {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const body = { fileName: "tone.wav", contentType: "audio/wav", sizeBytes: 11 * 1_048_576 };
    const first = await person.call("POST", "/v1/uploads", { body, headers });
    expect(first.body.urls).toHaveLength(2);
    const kept = await bindings.DB.prepare("select * from idempotency_keys where key = ?")
      .bind(headers["idempotency-key"])
      .first();
    expect(kept).toMatchObject({ status: 201 });
    expect(JSON.stringify(kept)).not.toContain("X-Amz");
    const again = await person.call("POST", "/v1/uploads", { body, headers });
    expect(again).toMatchObject({ status: 201, body: { id: first.body.id, status: "pending" } });
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(again.body.urls.map((url: { partNumber: number }) => url.partNumber)).toEqual([1, 2]);
  });
});

/** The row of an uploaded image; nothing of these tests reads its bytes. */
async function storedImage(): Promise<string> {
  const id = makeId("file", Date.now(), crypto.getRandomValues(new Uint8Array(16)));
  const file = {
    id,
    workspaceId: person.workspaceId,
    userId: person.userId,
    name: "image.png",
    contentType: "image/png",
    kind: "image",
    sizeBytes: 100,
  } as const;
  const ctx = systemContext();
  await ctx.db.batch([
    fileRowInsert(ctx, { ...file, sha256: "0".repeat(64), origin: "upload", r2Key: `w/${id}` }) as never,
  ]);
  return id;
}
