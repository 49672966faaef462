/** The end of an account is one batch that hangs on what it was decided by: others leave, join, delete and promote at the same moment. */
import { describe, expect, it } from "vitest";
import type { Bindings } from "#core/env";
import { archivedAddress } from "#features/accounts/deletion";
import { makeChild } from "#test/features/sub-users/support";
import { lastEntry, withRole } from "#test/features/staff/team";
import { bindings, call, type Called, type Person, signUp, systemContext } from "#test/support/harness";

/** Runs `act` right before the batch that ends an account, each time or only the first. */
function withRace(
  act: () => Promise<unknown>,
  options: { always?: boolean } = {},
): { env: Bindings; batches: number[] } {
  const batches: number[] = [];
  let isEnding = false;
  const intercepted = (session: D1DatabaseSession) =>
    new Proxy(session, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          if (name === "batch" && isEnding) {
            isEnding = false;
            if (options.always || batches.length === 0) await act();
            batches.push((args[0] as unknown[]).length);
          }
          return Reflect.apply(value, target, args) as unknown;
        };
      },
    });
  const prepares = (session: D1DatabaseSession) =>
    new Proxy(intercepted(session), {
      get(target, name) {
        if (name !== "prepare") return Reflect.get(target, name, target) as unknown;
        return (text: string) => {
          if (text.includes('insert into "deleted_users"')) isEnding = true;
          return session.prepare(text);
        };
      },
    });
  const DB = new Proxy(bindings.DB, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name === "withSession") return (constraint: string) => prepares(target.withSession(constraint));
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  return { env: { ...bindings, DB }, batches };
}

const end = (person: Person, env: Bindings = bindings): Promise<Called> =>
  person.call("DELETE", "/v1/users/account", { body: { password: person.password, reason: "moving on" }, env });

async function teamOf(owner: Person, others: [Person, "owner" | "admin" | "member"][]): Promise<string> {
  const made = await owner.call("POST", "/v1/workspaces", { body: { name: "Team" } });
  const id = made.body.id as string;
  for (const [person, role] of others)
    await bindings.DB.prepare("insert into workspace_members values (?, ?, ?, 0)").bind(id, person.userId, role).run();
  return id;
}

const leave = (person: Person, id: string) => person.call("POST", `/v1/workspaces/${id}/leave`);

const isThere = async (person: Person) => (await person.call("GET", "/v1/auth/me")).status === 200;

async function rows(sql: string, ...values: unknown[]) {
  const found = await bindings.DB.prepare(sql)
    .bind(...values)
    .all<Record<string, unknown>>();
  return found.results;
}

const entriesOf = (person: Person) =>
  rows("select action from audit_log where target = ? and action like '%deleted'", person.userId);

describe("ending an account while others act", () => {
  it("is refused when the other owner leaves in between, and nothing of it is done", async () => {
    const [owner, other, member] = [await signUp(), await signUp(), await signUp()];
    const id = await teamOf(owner, [
      [other, "owner"],
      [member, "member"],
    ]);
    const { env, batches } = withRace(async () => expect((await leave(other, id)).status).toBe(204));
    expect(await end(owner, env)).toMatchObject({ status: 409, body: { code: "sole-owner", workspaces: [{ id }] } });
    expect(batches).toHaveLength(1);
    expect(await isThere(owner)).toBe(true);
    expect(await entriesOf(owner)).toEqual([]);
    expect(await rows("select id from deleted_users where id = ?", owner.userId)).toEqual([]);
    expect(await rows("select user_id, role from workspace_members where workspace_id = ? order by role", id)).toEqual([
      { user_id: member.userId, role: "member" },
      { user_id: owner.userId, role: "owner" },
    ]);
  });

  it("closes the workspace when the other owner left it empty in between", async () => {
    const [owner, other] = [await signUp(), await signUp()];
    const id = await teamOf(owner, [[other, "owner"]]);
    const { env, batches } = withRace(() => leave(other, id));
    expect((await end(owner, env)).status).toBe(200);
    expect(batches).toHaveLength(2);
    expect(await rows("select deleted_at is null as lives from workspaces where id = ?", id)).toEqual([{ lives: 0 }]);
    expect(await entriesOf(owner)).toEqual([{ action: "account.deleted" }]);
  });

  it("lets one of two owners go who end at once, and never both", async () => {
    const [one, two, member] = [await signUp(), await signUp(), await signUp()];
    const id = await teamOf(one, [
      [two, "owner"],
      [member, "member"],
    ]);
    const answers = await Promise.all([end(one), end(two)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const owners = await rows("select user_id from workspace_members where workspace_id = ? and role = 'owner'", id);
    const [left] = (await isThere(one)) ? [one] : [two];
    expect(owners).toEqual([{ user_id: left?.userId }]);
    expect(await rows("select owner_user_id from workspaces where id = ?", id)).toEqual([
      { owner_user_id: left?.userId },
    ]);
  });

  it("is refused when somebody joins a workspace that was to be closed", async () => {
    const [owner, late] = [await signUp(), await signUp()];
    const id = await teamOf(owner, []);
    const join = "insert into workspace_members values (?, ?, 'member', 0)";
    const { env } = withRace(() => bindings.DB.prepare(join).bind(id, late.userId).run());
    expect(await end(owner, env)).toMatchObject({ status: 409, body: { code: "sole-owner" } });
    expect(await rows("select deleted_at from workspaces where id = ?", id)).toEqual([{ deleted_at: null }]);
  });

  it("also closes a workspace that was made in between", async () => {
    const owner = await signUp();
    let id = "";
    const { env, batches } = withRace(async () => {
      id = await teamOf(owner, []);
    });
    expect((await end(owner, env)).status).toBe(200);
    expect(batches).toHaveLength(2);
    expect(await rows("select deleted_at is null as lives from workspaces where id = ?", id)).toEqual([{ lives: 0 }]);
  });

  it("happens once when it is asked for twice at once", async () => {
    const person = await signUp();
    const answers = await Promise.all([end(person), end(person)]);
    expect(answers.map(({ status }) => status).sort()[0]).toBe(200);
    expect(await entriesOf(person)).toHaveLength(1);
    expect(await rows("select id from deleted_users where id = ?", person.userId)).toHaveLength(1);
  });

  it("gives up with nothing done when it is overtaken again and again", async () => {
    const owner = await signUp();
    const { env, batches } = withRace(() => teamOf(owner, []), { always: true });
    expect(await end(owner, env)).toMatchObject({ status: 503, body: { code: "unavailable" } });
    expect(batches).toHaveLength(4);
    expect(await isThere(owner)).toBe(true);
    expect(await entriesOf(owner)).toEqual([]);
  });
});

describe("ending by staff", () => {
  it("is one batch with the entry that says who did it", async () => {
    const [root, person] = [await withRole("superadmin"), await signUp()];
    const { env, batches } = withRace(() => Promise.resolve());
    const path = `/v1/admin/users/${person.userId}?reason=asked`;
    expect((await root.call("DELETE", path, { env })).status).toBe(204);
    expect(batches).toHaveLength(1);
    expect(await entriesOf(person)).toEqual([{ action: "staff.user-deleted" }]);
    expect(await lastEntry(person.userId)).toMatchObject({ actor_id: root.userId, details: { reason: "asked" } });
  });

  it("is refused when the person is raised to one's own rank in between", async () => {
    const [root, person] = [await withRole("superadmin"), await signUp()];
    const raise = "update users set role = 'superadmin' where id = ?";
    const { env } = withRace(() => bindings.DB.prepare(raise).bind(person.userId).run());
    const refused = await root.call("DELETE", `/v1/admin/users/${person.userId}?reason=asked`, { env });
    expect(refused).toMatchObject({ status: 403, body: { code: "staff-rank" } });
    expect(await isThere(person)).toBe(true);
    expect(await entriesOf(person)).toEqual([]);
  });

  it("leaves the product its last superadmin, who cannot go by the own wish either", async () => {
    const suspend = "update users set status = 'suspended' where role = 'superadmin' and status = 'active'";
    const [one, two] = [await withRole("superadmin"), await withRole("superadmin")];
    const others = await rows("select id from users where role = 'superadmin' and status = 'active'");
    await bindings.DB.prepare(`${suspend} and id not in (?, ?)`).bind(one.userId, two.userId).run();
    const { env } = withRace(() =>
      bindings.DB.prepare("update users set role = 'user' where id = ?").bind(two.userId).run(),
    );
    expect(await end(one, env)).toMatchObject({ status: 409, body: { code: "last-superadmin" } });
    expect(await end(one)).toMatchObject({ status: 409, body: { code: "last-superadmin" } });
    expect(await isThere(one)).toBe(true);
    await bindings.DB.prepare("update users set role = 'superadmin' where id = ?").bind(two.userId).run();
    expect((await end(one)).status).toBe(200);
    for (const { id } of others)
      await bindings.DB.prepare("update users set status = 'active' where id = ? and status = 'suspended'")
        .bind(id)
        .run();
  });
});

describe("a sub-user that ends", () => {
  const archivedOf = (id: string) =>
    rows("select reason, deleted_by, address_hash from deleted_users where id = ?", id);
  const left = async (id: string, email: string) => {
    const [row] = await rows("select * from users where id = ?", id);
    expect(JSON.stringify(row)).not.toContain(email);
    expect(row).toMatchObject({ status: "deleted", name: "", password_phc: "", email_verified_at: null });
  };

  it("by its workspace is archived and emptied as every other account", async () => {
    const parent = await signUp();
    const child = await makeChild(parent, { name: "Kiosk Hall" });
    const key = await child.call("POST", "/v1/api-keys", { body: { name: "its own" } });
    await child.call("POST", "/v1/auth/totp/enroll", { body: { password: child.password } });
    expect((await parent.call("DELETE", `/v1/sub-users/${child.id}`)).status).toBe(204);
    expect(await archivedOf(child.id)).toEqual([
      {
        reason: "ended by its workspace",
        deleted_by: parent.userId,
        address_hash: archivedAddress(systemContext(), child.email),
      },
    ]);
    await left(child.id, child.email);
    expect(await rows("select user_id from totp_factors where user_id = ?", child.id)).toEqual([]);
    expect((await child.call("GET", "/v1/auth/me")).status).toBe(401);
    expect((await call("GET", "/v1/jobs", { as: key.body.key })).status).toBe(401);
    expect(await lastEntry(child.id)).toMatchObject({
      action: "sub-user.deleted",
      workspace_id: parent.workspaceId,
      actor_id: parent.userId,
    });
    expect(await rows("select id from audit_log where target = ? and action like '%.deleted'", child.id)).toHaveLength(
      1,
    );
    expect((await parent.call("DELETE", `/v1/sub-users/${child.id}`)).body.code).toBe("sub-user-not-found");
    const again = await parent.call("POST", "/v1/sub-users", {
      body: { email: child.email, password: child.password },
    });
    expect(again.status).toBe(201);
  });

  it("is not another workspace's to end", async () => {
    const [parent, stranger] = [await signUp(), await signUp()];
    const child = await makeChild(parent);
    const foreign = await stranger.call("DELETE", `/v1/sub-users/${child.id}`);
    expect(foreign).toMatchObject({ status: 404, body: { code: "sub-user-not-found" } });
    expect(await archivedOf(child.id)).toEqual([]);
    expect((await child.call("GET", "/v1/auth/me")).status).toBe(200);
  });

  it("once when it is asked for twice at once", async () => {
    const parent = await signUp();
    const child = await makeChild(parent);
    const remove = () => parent.call("DELETE", `/v1/sub-users/${child.id}`);
    const answers = await Promise.all([remove(), remove()]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404]);
    expect(await archivedOf(child.id)).toHaveLength(1);
  });

  it("with its parent's account or workspace is archived, too, also one that was made in between", async () => {
    const parent = await signUp();
    const id = await teamOf(parent, []);
    const [atHome, inTeam] = [await makeChild(parent), await makeChild(parent, {}, id)];
    let late: { id: string; email: string } | undefined;
    const { env, batches } = withRace(async () => {
      late = await makeChild(parent, {}, id);
    });
    expect((await parent.call("DELETE", `/v1/workspaces/${id}`, { env })).status).toBe(204);
    expect(batches).toHaveLength(2);
    for (const child of [inTeam, late]) {
      expect(await archivedOf(child?.id ?? "")).toMatchObject([{ deleted_by: parent.userId }]);
      await left(child?.id ?? "", child?.email ?? "");
    }
    expect(await archivedOf(atHome.id)).toEqual([]);
    expect((await end(parent)).status).toBe(200);
    expect(await archivedOf(atHome.id)).toMatchObject([{ deleted_by: "self", reason: "moving on" }]);
    await left(atHome.id, atHome.email);
    expect((await atHome.call("GET", "/v1/auth/me")).status).toBeGreaterThanOrEqual(401);
  });
});
