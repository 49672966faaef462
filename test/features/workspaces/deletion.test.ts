/** What the end of a workspace means for everything in it. */
import { describe, expect, it } from "vitest";
import { runJob } from "#app/run-job";
import { writeEntries } from "#features/message-logs/service";
import { purgeDeleted } from "#features/workspaces/schedules";
import { entryOf, rowsOf } from "#test/features/message-logs/support";
import { bindings, call, signUp, systemContext } from "#test/support/harness";
import { invite, join, mailedToken, makeTeam } from "./support.ts";

const dayMs = 86_400_000;

async function jobsOf(workspaceId: string) {
  const { results } = await bindings.DB.prepare("select * from jobs where workspace_id = ?")
    .bind(workspaceId)
    .all<{ id: string; name: string; state: string; cancel_requested_at: number | null }>();
  return results;
}

describe("deleting a workspace", () => {
  it("is the owner's; from that moment keys, sessions, invitations and work stop, and the slug is free", async () => {
    const slug = `gone-${crypto.randomUUID().slice(0, 8)}`;
    const team = await makeTeam({ slug });
    const admin = await join(team, "admin");
    const headers = { "x-workspace-id": team.id };
    const made = await admin.call("POST", "/v1/api-keys", { body: { name: "a key" }, headers });
    const as = made.body.key as string;
    expect((await call("GET", "/v1/files", { as })).status).toBe(200);
    const guest = await signUp();
    await invite(team, guest.email);
    const token = await mailedToken(guest.email);
    await bindings.DB.prepare(
      `insert into jobs (id, workspace_id, name, lane, payload, state, max_attempts, run_at, created_at, updated_at) values (?, ?, 'conversions.seal-audio', 'conversion', '{"conversionId":"conv_none"}', 'scheduled', 1, ?, 0, 0)`,
    )
      .bind(`job_${team.id.slice(4)}`, team.id, Date.now() + dayMs)
      .run();

    expect((await admin.call("DELETE", `/v1/workspaces/${team.id}`)).status).toBe(403);
    expect((await team.owner.call("DELETE", `/v1/workspaces/${team.id}`)).status).toBe(204);

    expect((await call("GET", "/v1/files", { as })).status).toBe(401);
    expect((await call("GET", "/v1/api-keys", { as })).status).toBe(401);
    for (const person of [team.owner, admin]) {
      expect((await person.call("GET", "/v1/files", { headers })).status).toBe(404);
      expect((await person.call("GET", `/v1/workspaces/${team.id}`)).status).toBe(404);
      const list = await person.call("GET", "/v1/workspaces");
      expect(JSON.stringify(list.body)).not.toContain(team.id);
    }
    expect((await guest.call("POST", `/v1/invitations/${token}/accept`)).body.code).toBe("invitation-revoked");
    const [job] = (await jobsOf(team.id)).filter(({ name }) => name === "conversions.seal-audio");
    expect(job?.cancel_requested_at).not.toBeNull();
    await runJob(systemContext(), job?.id ?? "");
    expect((await jobsOf(team.id)).find(({ id }) => id === job?.id)?.state).toBe("cancelled");
    const again = await team.owner.call("POST", "/v1/workspaces", { body: { name: "A team", slug } });
    expect(again.status).toBe(201);
    expect((await team.owner.call("DELETE", `/v1/workspaces/${team.id}`)).status).toBe(404);
  });

  it("is told to its webhooks, and signs nobody out elsewhere", async () => {
    const team = await makeTeam();
    const headers = { "x-workspace-id": team.id };
    const hook = await team.owner.call("POST", "/v1/webhooks", {
      body: { url: "https://hooks.example.com/deleted", events: ["workspace.deleted"] },
      headers,
    });
    expect(hook.status).toBe(201);
    expect((await team.owner.call("DELETE", `/v1/workspaces/${team.id}`)).status).toBe(204);
    const { results } = await bindings.DB.prepare(
      "select payload from jobs where workspace_id = ? and name = 'webhooks.fan-out'",
    )
      .bind(team.id)
      .all<{ payload: string }>();
    expect(results.map(({ payload }) => JSON.parse(payload).type)).toContain("workspace.deleted");
    expect((await team.owner.call("GET", "/v1/files")).status).toBe(200);
    const trail = await bindings.DB.prepare("select action from audit_log where workspace_id = ?").bind(team.id).all();
    expect(trail.results).toContainEqual({ action: "workspace.deleted" });
  });

  it("keeps files for thirty days, then removes them and the keys that open them", async () => {
    const team = await makeTeam();
    const key = `w/${team.id}/u/upl_1/kept.txt`;
    await bindings.FILES.put(key, "kept");
    const headers = { "x-workspace-id": team.id };
    await team.owner.call("POST", "/v1/encryption-keys", { body: { keyType: "user" }, headers });
    await bindings.DB.prepare("insert into data_keys values (?, ?, 'conv_1', 'ekey_1', 'wrapped', null, 0)")
      .bind(team.id.slice(4), team.id)
      .run();
    await bindings.DB.prepare(
      "insert into model_responses values (?, ?, 'usr_1', 'live', 'sealed', 1, null, 6, 0, 9e15)",
    )
      .bind(`resp_${team.id}`, team.id)
      .run();
    await writeEntries(systemContext(), [entryOf(team.owner, { workspaceId: team.id })]);
    await team.owner.call("DELETE", `/v1/workspaces/${team.id}`);
    const purge = async () => {
      await purgeDeleted(systemContext());
      for (const { id, name } of await jobsOf(team.id))
        if (name === "workspaces.purge") await runJob(systemContext(), id);
    };
    await purge();
    expect(await bindings.FILES.head(key)).not.toBeNull();
    await bindings.DB.prepare("update workspaces set deleted_at = ? where id = ?")
      .bind(Date.now() - 31 * dayMs, team.id)
      .run();
    await purge();
    expect(await bindings.FILES.head(key)).toBeNull();
    const left = await bindings.DB.prepare("select wrapped_key, destroyed_at from data_keys where workspace_id = ?")
      .bind(team.id)
      .first<{ wrapped_key: string; destroyed_at: number | null }>();
    expect(left?.wrapped_key).toBe("");
    expect(left?.destroyed_at).not.toBeNull();
    const keys = await bindings.DB.prepare("select count(*) as n from encryption_keys where workspace_id = ?")
      .bind(team.id)
      .first<{ n: number }>();
    expect(keys?.n).toBe(0);
    const responses = await bindings.DB.prepare("select id from model_responses where workspace_id = ?")
      .bind(team.id)
      .first();
    expect(responses).toBeNull();
    expect(await rowsOf(team.owner.userId)).toEqual([]);
    const before = (await jobsOf(team.id)).length;
    await purge();
    expect((await jobsOf(team.id)).length).toBe(before);
  });
});
