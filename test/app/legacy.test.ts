/** Paths of older clients: what the rewriting itself must not do. That it answers like the older systems is the legacy bar's. */
import { describe, expect, it } from "vitest";
import { briefingWav } from "#test/support/fixtures";
import { bindings, call, signUp } from "#test/support/harness";

const json = { "content-type": "application/json" };

/** A JSON body without a declared length, of at most so many bytes, that tells how much of it was taken. */
function endlessBody(maxBytes: number) {
  const chunk = new TextEncoder().encode(" ".repeat(65_536));
  const taken = { bytes: 0 };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (taken.bytes >= maxBytes) return controller.close();
      taken.bytes += chunk.byteLength;
      controller.enqueue(chunk);
    },
  });
  return { body, taken };
}

describe("an older path", () => {
  it("does not take the whole of a body that never ends into memory", async () => {
    const { body, taken } = endlessBody(32 * 1_048_576);
    const stranger = await call("POST", "/api/keys", { body, headers: json });
    expect(stranger.status).toBe(401);
    expect(taken.bytes).toBeLessThan(3 * 1_048_576);
    const person = await signUp();
    const { body: long, taken: read } = endlessBody(32 * 1_048_576);
    const answer = await person.call("POST", "/api/keys", { body: long, headers: json });
    expect(answer).toMatchObject({ status: 413, body: { code: "body-too-large", success: false } });
    expect(read.bytes).toBeLessThan(3 * 1_048_576);
  });

  it("hands on the whole of a body that is not declared and fits", async () => {
    const person = await signUp();
    const text = JSON.stringify({ name: "a key", ignored: undefined });
    const body = new ReadableStream({
      start(controller) {
        for (const part of [text.slice(0, 5), text.slice(5)]) controller.enqueue(new TextEncoder().encode(part));
        controller.close();
      },
    });
    expect(await person.call("POST", "/api/keys", { body, headers: json })).toMatchObject({
      status: 201,
      body: { name: "a key" },
    });
  });

  it("takes a name in a path as a value, whatever characters it has", async () => {
    const person = await signUp();
    const other = await signUp();
    const named = await person.call("GET", `/api/keys/me&workspaceId=${other.workspaceId}`);
    expect(named).toMatchObject({ status: 404, body: { code: "user-not-found" } });
    expect((await person.call("GET", "/api/keys/%E0%A4%A")).status).toBe(404);
    expect((await person.call("GET", "/api/keys/me")).status).toBe(200);
  });

  it("that answers with a second operation stays in the workspace and with the origin of the request", async () => {
    const person = await signUp();
    const team = `wks_${person.workspaceId.slice(4).split("").toReversed().join("")}`;
    await bindings.DB.batch([
      bindings.DB.prepare(
        "insert into workspaces (id, name, kind, owner_user_id, created_at) values (?, 'Team', 'team', ?, 0)",
      ).bind(team, person.userId),
      bindings.DB.prepare(
        "insert into workspace_members (workspace_id, user_id, role, created_at) values (?, ?, 'owner', 0)",
      ).bind(team, person.userId),
    ]);
    const body = new FormData();
    body.set("audio", new File([briefingWav()], "briefing.wav", { type: "audio/wav" }));
    const origin = "https://app.example";
    const env = { ...bindings, ALLOWED_ORIGINS: origin };
    const zip = await person.call("POST", `/api/v1/encode?workspaceId=${team}`, { body, headers: { origin }, env });
    expect([zip.status, zip.headers.get("content-type")]).toEqual([200, "application/zip"]);
    expect(zip.headers.get("access-control-allow-origin")).toBe(origin);
    expect((await person.call("GET", "/v1/conversions")).body.total).toBe(0);
  });
});
