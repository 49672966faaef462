/** Who sees which entries, how they are found, and what erasing them does. */
import { describe, expect, it } from "vitest";
import { writeEntries } from "#features/message-logs/service";
import { bindings, type Person, signUp, systemContext } from "#test/support/harness";
import { family } from "../sub-users/support.ts";
import { join, makeTeam } from "../workspaces/support.ts";
import { entryOf, logOf, rowsOf } from "./support.ts";

const write = (...entries: ReturnType<typeof entryOf>[]) => writeEntries(systemContext(), entries);
const said = JSON.stringify({ request: "What I asked", response: "What I was told", isCut: false });

async function keyOf(person: Person, body: Record<string, unknown>) {
  const made = await person.call("POST", "/v1/api-keys", { body: { name: "reader", ...body } });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  const { id, key } = made.body as { id: string; key: string };
  const call: Person["call"] = (method, path, options = {}) => person.call(method, path, { as: key, ...options });
  return { id, call };
}

describe("the list", () => {
  it("goes from the newest to the oldest by pages, and takes model, status, operation, key and time", async () => {
    const person = await signUp();
    const day = Date.UTC(2026, 0, 10);
    await write(
      entryOf(person, { at: day, model: "a", id: "msg_1" }),
      entryOf(person, { at: day + 1_000, model: "a", id: "msg_2", status: "cut", keyId: "key_1" }),
      entryOf(person, { at: day + 2_000, model: "b", id: "msg_3", operation: "embeddings" }),
    );
    const ids = async (query: string) => (await logOf(person, query)).map(({ id }) => id);
    expect(await ids("")).toEqual(["msg_3", "msg_2", "msg_1"]);
    expect(await ids("?model=a")).toEqual(["msg_2", "msg_1"]);
    expect(await ids("?status=cut")).toEqual(["msg_2"]);
    expect(await ids("?operation=embeddings")).toEqual(["msg_3"]);
    expect(await ids("?keyId=key_1")).toEqual(["msg_2"]);
    expect(await ids("?from=2026-01-10T00:00:01Z&to=2026-01-10T00:00:02Z")).toEqual(["msg_2"]);
    expect(await ids("?from=2026-01-11")).toEqual([]);
    const first = await person.call("GET", "/v1/message-logs?limit=2");
    const second = await person.call("GET", `/v1/message-logs?limit=2&cursor=${first.body.nextCursor}`);
    expect([first.body.items.length, second.body.items.length, second.body.nextCursor]).toEqual([2, 1, null]);
    for (const query of ["status=fine", "limit=101", "from=yesterday", "from=2026-01-02&to=2026-01-01", "cursor=x"])
      expect((await person.call("GET", `/v1/message-logs?${query}`)).status, query).toBeGreaterThanOrEqual(400);
  });

  it("is the caller's own, whoever else asks, and of one workspace", async () => {
    const [person, other] = [await signUp(), await signUp()];
    await write(entryOf(person), entryOf(other), entryOf(person, { workspaceId: other.workspaceId }));
    expect(await logOf(person)).toHaveLength(1);
    expect((await logOf(other)).map(({ userId }) => userId)).toEqual([other.userId]);
    const headers = { "x-workspace-id": person.workspaceId };
    expect((await other.call("GET", "/v1/message-logs", { headers })).status).toBe(404);
    const { child } = await family();
    expect(await logOf(child)).toEqual([]);
  });

  it("of a workspace shows admins who asked what, and never what others said or where from", async () => {
    const team = await makeTeam();
    const { owner, id: workspaceId } = team;
    const member = await join(team, "member");
    const there = { messages: said, address: "203.0.113.9", workspaceId };
    await write(entryOf(owner, there), entryOf(member, there));
    const headers = { "x-workspace-id": workspaceId };
    const whole = await owner.call("GET", "/v1/message-logs?of=workspace", { headers });
    expect(whole.body.items).toHaveLength(2);
    for (const entry of whole.body.items) {
      const isOwn = entry.userId === owner.userId;
      expect(entry).toMatchObject({ tokensUsed: 7, costMicroUsd: 5, address: isOwn ? "203.0.113.9" : null });
      expect(entry.messages).toEqual(isOwn ? JSON.parse(said) : null);
    }
    const one = await owner.call("GET", `/v1/message-logs?of=workspace&userId=${member.userId}`, { headers });
    expect(one.body.items).toMatchObject([{ userId: member.userId }]);
    const refused = await member.call("GET", "/v1/message-logs?of=workspace", { headers });
    expect(refused).toMatchObject({ status: 403, body: { requiredPermission: "usage:report" } });
    const own = await member.call("GET", `/v1/message-logs?userId=${owner.userId}`, { headers });
    expect(own.body.items).toMatchObject([{ userId: member.userId, messages: JSON.parse(said) }]);
  });

  it("is shown to a key that may, and a key for tests sees tests only", async () => {
    const person = await signUp();
    const usual = await keyOf(person, {});
    const reader = await keyOf(person, { scopes: ["message-logs:read"] });
    const tester = await keyOf(person, { scopes: ["message-logs:read", "message-logs:write"], mode: "test" });
    await write(entryOf(person), entryOf(person, { mode: "test" }));
    expect((await usual.call("GET", "/v1/message-logs")).body.code).toBe("permission-denied");
    expect(await logOf(reader)).toHaveLength(2);
    expect((await reader.call("GET", "/v1/message-logs?of=workspace")).body.code).toBe("permission-denied");
    expect((await reader.call("DELETE", "/v1/message-logs")).body.code).toBe("permission-denied");
    expect((await logOf(tester)).map(({ mode }) => mode)).toEqual(["test"]);
    expect((await tester.call("DELETE", "/v1/message-logs")).body).toEqual({ success: true, deleted: 1 });
    await write(entryOf(person, { at: Date.now() - 1_000 }));
    expect((await logOf(person)).map(({ mode }) => mode)).toEqual(["live", "live"]);
  });
});

describe("erasing", () => {
  it("takes the caller's own entries, all or those of a time, says how many, and is an act in the trail", async () => {
    const [person, other] = [await signUp(), await signUp()];
    const at = Date.UTC(2026, 0, 10);
    const there = { workspaceId: person.workspaceId };
    await write(
      ...[0, 1, 2, 3].map((hours) => entryOf(person, { at: at + hours * 3_600_000 })),
      entryOf(other, { ...there, at }),
      entryOf(person, { workspaceId: other.workspaceId, at }),
    );
    const range = "?from=2026-01-10T01:00:00Z&to=2026-01-10T03:00:00Z";
    expect(await person.call("DELETE", `/v1/message-logs${range}`)).toMatchObject({
      status: 200,
      body: { success: true, deleted: 2 },
    });
    expect(await logOf(person)).toHaveLength(2);
    expect((await person.call("DELETE", "/v1/message-logs")).body).toEqual({ success: true, deleted: 2 });
    expect((await person.call("DELETE", "/v1/message-logs")).body).toEqual({ success: true, deleted: 0 });
    expect(await rowsOf(other.userId)).toHaveLength(1);
    expect(await rowsOf(person.userId)).toMatchObject([{ workspace_id: other.workspaceId }]);
    expect((await person.call("DELETE", "/v1/message-logs?from=2026-01-02&to=2026-01-01")).status).toBe(422);
    const trail = await bindings.DB.prepare(
      "select actor_id, details from audit_log where action = 'message-log.erased' and target = ? order by id",
    )
      .bind(person.userId)
      .all<{ actor_id: string; details: string }>();
    expect(trail.results.map(({ details }) => (JSON.parse(details) as { entries: number }).entries)).toEqual([2, 2, 0]);
    expect(trail.results[0]?.actor_id).toBe(person.userId);
  });

  it("holds for entries that are still on their way, and for no later ones", async () => {
    const [person, other] = [await signUp(), await signUp()];
    const late = entryOf(person);
    const elsewhere = entryOf(person, { workspaceId: other.workspaceId });
    expect((await person.call("DELETE", "/v1/message-logs")).body.deleted).toBe(0);
    const next = entryOf(person, { at: Date.now() + 1_000 });
    await write(late, next, elsewhere);
    expect((await rowsOf(person.userId)).map(({ id }) => id).toSorted()).toEqual([elsewhere.id, next.id].toSorted());
  });
});
