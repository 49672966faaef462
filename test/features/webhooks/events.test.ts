/** What the product tells of by itself: files, keys, and conversions in system A's words. */
import { beforeAll, describe, expect, it } from "vitest";
import { bindings, type Person, signUp } from "#test/support/harness";
import { open, sealed, storedKeys, storeFile, wav } from "../conversions/support.ts";
import { addEndpoint, type Endpoint, received, runDue } from "./support.ts";

let person: Person;
let endpoint: Endpoint;

beforeAll(async () => {
  person = await signUp();
  endpoint = await addEndpoint(person);
});

async function told(type: string): Promise<Record<string, unknown>[]> {
  await runDue(person);
  const bodies = (await received(endpoint.box)).map(({ body }) => JSON.parse(body));
  return bodies.filter((body) => body.type === type).map((body) => body.data);
}

describe("events", () => {
  it("of a conversion carry conversionId, status and a downloadUrl that works", async () => {
    const { id: conversionId } = await sealed(person, wav(20_000));
    const [data] = await told("conversion.completed");
    expect(data).toMatchObject({ conversionId, status: "completed", downloadUrl: expect.any(String) });
    const { pathname } = new URL(String(data?.["downloadUrl"]));
    expect((await person.call("GET", pathname)).status).toBe(200);
    const opened = await open(person, { conversionId });
    expect(opened.status).toBe(200);
    const [, second] = await told("conversion.completed");
    const path = new URL(String(second?.["downloadUrl"])).pathname;
    expect((await person.call("GET", path)).bytes).toHaveLength(20_000);
  });

  it("of a conversion that failed say why, once, and that its job failed", async () => {
    const { id } = await sealed(person, wav(2_000, { seed: 2 }));
    const key = (await storedKeys(person, "sealed")).find((candidate) => candidate.includes(id)) ?? "";
    const bytes = new Uint8Array((await (await bindings.FILES.get(key))?.arrayBuffer()) ?? new ArrayBuffer(0));
    bytes[1_200] = (bytes[1_200] ?? 0) ^ 1;
    await bindings.FILES.put(key, bytes);
    expect((await open(person, { conversionId: id })).status).toBe(422);
    expect(await told("conversion.failed")).toMatchObject([
      { status: "failed", code: expect.any(String), conversionId: expect.any(String) },
    ]);
    expect(await told("job.failed")).toMatchObject([{ kind: "conversions.open-images", code: expect.any(String) }]);
  });

  it("of files and keys name them", async () => {
    const fileId = await storeFile(person, "named.wav", wav(2_000));
    expect(await told("file.uploaded")).toContainEqual({
      fileId,
      name: "named.wav",
      contentType: "audio/wav",
      sizeBytes: 2_000,
    });
    expect((await person.call("DELETE", `/v1/files/${fileId}`)).status).toBe(204);
    expect(await told("file.deleted")).toContainEqual({ fileId, name: "named.wav" });
    const { body } = await person.call("POST", "/v1/api-keys", { body: { name: "told" } });
    await person.call("POST", `/v1/api-keys/${body.id}/rotate`, { body: { graceSeconds: 60 } });
    await person.call("DELETE", `/v1/api-keys/${body.id}`);
    expect(await told("api-key.created")).toContainEqual({ keyId: body.id, name: "told" });
    expect(await told("api-key.rotated")).toMatchObject([{ keyId: body.id, previousWorksUntil: expect.any(String) }]);
    expect(await told("api-key.deleted")).toContainEqual({ keyId: body.id, name: "told" });
    expect(JSON.stringify(await received(endpoint.box))).not.toContain(body.key);
  });
});
