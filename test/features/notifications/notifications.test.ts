/** Notices inside the product, what people want of them, the way out of mails, and what staff see. */
import { describe, expect, it } from "vitest";
import { commitWithJobs } from "#core/job";
import { purge } from "#features/notifications/index";
import { type NotificationKind, readPreferences } from "#features/notifications/rules";
import { mailJob, notify } from "#features/notifications/service";
import { unsubscribeToken } from "#features/notifications/unsubscribe";
import { bindings, call, type Person, signUp, systemContext } from "#test/support/harness";
import { mailsTo } from "#test/support/mails";

async function tell(person: Person, kind: NotificationKind, title = "Title"): Promise<void> {
  const ctx = systemContext();
  const notice = { userId: person.userId, workspaceId: person.workspaceId, kind, title, body: "Body", data: { a: 1 } };
  await commitWithJobs(ctx, notify(ctx, notice), []);
}

const prefer = (person: Person, notifications: unknown) =>
  bindings.DB.prepare("update users set preferences = ? where id = ?")
    .bind(JSON.stringify({ theme: "dark", notifications }), person.userId)
    .run();
const preferencesOf = async (person: Person) => {
  const row = await bindings.DB.prepare("select preferences from users where id = ?")
    .bind(person.userId)
    .first<{ preferences: string }>();
  return JSON.parse(row?.preferences ?? "{}") as Record<string, unknown>;
};
const makeStaff = (person: Person, role: string) =>
  bindings.DB.prepare("update users set role = ? where id = ?").bind(role, person.userId).run();
const titles = async (person: Person, query = "") =>
  (await person.call("GET", `/v1/notifications${query}`)).body.items.map((item: { title: string }) => item.title);

describe("notifications", () => {
  it("are listed newest first, page by page, and read one by one or all at once", async () => {
    const person = await signUp();
    for (const title of ["first", "second", "third"]) await tell(person, "quota", title);
    const page = await person.call("GET", "/v1/notifications?limit=2");
    expect(page.status).toBe(200);
    expect(page.body).toMatchObject({ unread: 3, items: [{ title: "third", readAt: null }, { title: "second" }] });
    expect(page.body.items[0]).toMatchObject({
      kind: "quota",
      body: "Body",
      data: { a: 1 },
      workspaceId: person.workspaceId,
    });
    expect(page.body.items[0].userId).toBeUndefined();
    expect(await titles(person, `?cursor=${page.body.nextCursor}`)).toEqual(["first"]);

    const { id } = page.body.items[1];
    expect((await person.call("POST", `/v1/notifications/${id}/read`)).body).toEqual({ read: 1, unread: 2 });
    expect((await person.call("POST", `/v1/notifications/${id}/read`)).body).toEqual({ read: 0, unread: 2 });
    expect(await titles(person, "?unread=true")).toEqual(["third", "first"]);
    expect((await person.call("POST", "/v1/notifications/all/read")).body).toEqual({ read: 2, unread: 0 });
    expect(await titles(person, "?unread=true")).toEqual([]);
    expect(await titles(person)).toHaveLength(3);
  });

  it("are nobody else's", async () => {
    const [person, other] = [await signUp(), await signUp()];
    await tell(person, "security");
    const { id } = (await person.call("GET", "/v1/notifications")).body.items[0];
    expect(await titles(other)).toEqual([]);
    const foreign = await other.call("POST", `/v1/notifications/${id}/read`);
    const unknown = await other.call("POST", "/v1/notifications/ntf_00000000000000000000000000/read");
    expect(foreign.status).toBe(404);
    expect({ ...foreign.body, requestId: "" }).toEqual({ ...unknown.body, requestId: "" });
    expect((await other.call("POST", "/v1/notifications/all/read")).body.read).toBe(0);
    expect((await person.call("GET", "/v1/notifications")).body.unread).toBe(1);
  });

  it("refuse a key, a wrong cursor and a wrong filter", async () => {
    const person = await signUp();
    const { key } = (await person.call("POST", "/v1/api-keys", { body: { name: "k", scopes: ["files:read"] } })).body;
    expect((await call("GET", "/v1/notifications", { as: key })).status).toBe(403);
    expect((await person.call("GET", "/v1/notifications?cursor=junk")).body.code).toBe("invalid-cursor");
    expect((await person.call("GET", "/v1/notifications?unread=maybe")).status).toBe(422);
  });

  it("come as the person prefers, and security always", async () => {
    const person = await signUp();
    await prefer(person, { quota: { inApp: false }, billing: { mail: false }, security: { inApp: false } });
    for (const kind of ["quota", "billing", "security"] as const) await tell(person, kind, kind);
    expect(await titles(person)).toEqual(["security", "billing"]);
    await prefer(person, false);
    for (const kind of ["billing", "security"] as const) await tell(person, kind, `${kind} later`);
    expect(await titles(person)).toEqual(["security later", "security", "billing"]);
    await prefer(person, true);
    await tell(person, "billing", "on again");
    expect((await titles(person))[0]).toBe("on again");
  });

  it("are written for people that exist only", async () => {
    const ctx = systemContext();
    const userId = ctx.newId("user");
    await commitWithJobs(ctx, notify(ctx, { userId, workspaceId: null, kind: "security", title: "t", body: "b" }), []);
    const found = await bindings.DB.prepare("select count(*) n from notifications where user_id = ?")
      .bind(userId)
      .first<{ n: number }>();
    expect(found?.n).toBe(0);
  });
});

describe("preferences", () => {
  it.each([
    [undefined, true, true],
    [true, true, true],
    [false, false, false],
    [{}, true, true],
    [{ quota: { mail: false } }, true, false],
    [{ quota: { inApp: false, mail: true } }, false, true],
    [{ quota: "never" }, true, true],
    ["junk", true, true],
  ])("%j is in-app %s, mail %s", (notifications, inApp, mail) => {
    const wanted = readPreferences({ notifications });
    expect(wanted.quota).toEqual({ inApp, mail });
    expect(wanted.security).toEqual({ inApp: true, mail: true });
  });
});

describe("the unsubscribe link", () => {
  const pathOf = (token: string) => `/v1/notifications/unsubscribe?token=${token}`;

  it("stands in mails that nobody must read, with the headers for one click, and in no others", async () => {
    const person = await signUp();
    const ctx = { ...systemContext(), offer: () => Promise.resolve() };
    const quota = { resource: "storage", percent: 80, used: 8, limit: 10, period: "November 2026" };
    await commitWithJobs(
      ctx,
      [],
      [
        mailJob(ctx, { template: "quota-notice", to: person.email, userId: person.userId, data: quota }),
        mailJob(ctx, { template: "password-changed", to: person.email, data: {} }),
      ],
    );
    const mails = await mailsTo(person.email);
    const notice = mails.find((mail) => mail.template === "quota-notice");
    const [, path = ""] =
      /https?:\/\/[^/]+(\/v1\/notifications\/unsubscribe\?token=\S+)/.exec(notice?.text ?? "") ?? [];
    expect(mails.find((mail) => mail.template === "password-changed")?.text).not.toContain("unsubscribe");

    const asked = await call("GET", path);
    expect(asked.status).toBe(200);
    expect(asked.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(new TextDecoder().decode(asked.bytes)).toContain('<form method="post"');
    expect(await preferencesOf(person)).toEqual({});

    const form = { "content-type": "application/x-www-form-urlencoded" };
    const stopped = await call("POST", path, { body: "List-Unsubscribe=One-Click", headers: form });
    expect(stopped.status).toBe(200);
    expect(await preferencesOf(person)).toEqual({ notifications: { quota: { mail: false } } });
    expect((await call("POST", path, { body: "List-Unsubscribe=One-Click", headers: form })).status).toBe(200);
    const again = mailJob(ctx, { template: "quota-notice", to: person.email, userId: person.userId, data: quota });
    await commitWithJobs(ctx, [], [again]);
    expect((await mailsTo(person.email)).filter((mail) => mail.template === "quota-notice")).toHaveLength(1);
  });

  it("leaves what else the person prefers", async () => {
    const person = await signUp();
    const path = pathOf(unsubscribeToken(systemContext().settings, person.userId, "webhooks"));
    await prefer(person, { quota: { mail: false }, webhooks: { inApp: false } });
    await call("POST", path);
    expect(await preferencesOf(person)).toEqual({
      theme: "dark",
      notifications: { quota: { mail: false }, webhooks: { inApp: false, mail: false } },
    });
    await prefer(person, true);
    await call("POST", path);
    expect(await preferencesOf(person)).toEqual({ theme: "dark", notifications: { webhooks: { mail: false } } });
    await prefer(person, false);
    await call("POST", path);
    expect(await preferencesOf(person)).toEqual({ theme: "dark", notifications: false });
  });

  it("works for the kind and person that it was signed for only", async () => {
    const [person, other] = [await signUp(), await signUp()];
    const token = unsubscribeToken(systemContext().settings, person.userId, "quota");
    const [, , mac = ""] = token.split(".");
    const forged = [
      token.slice(0, -1),
      `${token}x`,
      `${other.userId}.quota.${mac}`,
      `${person.userId}.billing.${mac}`,
      unsubscribeToken(systemContext().settings, person.userId, "security"),
      "",
      ".quota.",
    ];
    for (const wrong of forged) {
      for (const method of ["GET", "POST"]) {
        const answer = await call(method, pathOf(wrong));
        expect([answer.status, answer.body?.code]).toEqual([404, "unsubscribe-link-invalid"]);
      }
    }
    expect(await preferencesOf(person)).toEqual({});
    expect(await preferencesOf(other)).toEqual({});
  });
});

describe("the outbox", () => {
  const mailTo = async (to: string) => {
    const ctx = { ...systemContext(), offer: () => Promise.resolve() };
    await commitWithJobs(
      ctx,
      [],
      [mailJob(ctx, { template: "sign-in-code", to, data: { code: "482913", expiresInMinutes: 10 } })],
    );
    await mailsTo(to);
  };

  it("is shown to admins and superadmins only", async () => {
    const person = await signUp();
    for (const [role, status] of [
      ["user", 403],
      ["support", 403],
      ["developer", 403],
      ["admin", 200],
      ["superadmin", 200],
    ] as const) {
      await makeStaff(person, role);
      expect([role, (await person.call("GET", "/v1/admin/outbox?limit=1")).status]).toEqual([role, status]);
    }
  });

  it("is filtered by recipient and paged, and its words are shown while mails stay in it", async () => {
    const [admin, reader] = [await signUp(), await signUp()];
    await makeStaff(admin, "admin");
    for (let sent = 0; sent < 3; sent += 1) await mailTo(reader.email);
    const query = `/v1/admin/outbox?to=${encodeURIComponent(reader.email)}&limit=2`;
    const page = (await admin.call("GET", query)).body;
    expect(page.items).toHaveLength(2);
    expect(page.items[0]).toMatchObject({
      to: reader.email,
      template: "sign-in-code",
      state: "sent",
      transport: "outbox",
    });
    expect(page.items[0].text).toContain("482913");
    expect((await admin.call("GET", `${query}&cursor=${page.nextCursor}`)).body.items).toHaveLength(1);
    const env = { ...bindings, MAIL_TRANSPORT: "smtp", SMTP_HOST: "mail.example.com" };
    const elsewhere = (await admin.call("GET", query, { env })).body;
    expect(elsewhere.items[0]).toMatchObject({ to: reader.email, subject: null, text: null, html: null });
    const audits = await bindings.DB.prepare(
      "select count(*) n from audit_log where action = 'outbox.read' and actor_id = ?",
    )
      .bind(admin.userId)
      .first<{ n: number }>();
    expect(audits?.n).toBe(2);
  });

  it("shows codes that were mailed to staff to superadmins alone", async () => {
    const [admin, superadmin] = [await signUp(), await signUp()];
    await makeStaff(admin, "admin");
    await makeStaff(superadmin, "superadmin");
    await mailTo(superadmin.email);
    const query = `/v1/admin/outbox?to=${encodeURIComponent(superadmin.email)}`;
    expect((await admin.call("GET", query)).body.items).toMatchObject([{ text: null, html: null, subject: null }]);
    expect((await superadmin.call("GET", query)).body.items[0].text).toContain("482913");
  });

  it("shows to superadmins alone, too, what was mailed about staff to an address that nobody has", async () => {
    const [admin, superadmin] = [await signUp(), await signUp()];
    await makeStaff(admin, "admin");
    await makeStaff(superadmin, "superadmin");
    const to = `${crypto.randomUUID()}@example.com`;
    const body = { new_email: to, current_password: superadmin.password };
    expect((await superadmin.call("PUT", "/v1/users/email", { body })).status).toBe(200);
    expect(await mailsTo(to)).toHaveLength(1);
    const query = `/v1/admin/outbox?to=${encodeURIComponent(to)}`;
    expect((await admin.call("GET", query)).body.items).toMatchObject([{ template: "email-change", text: null }]);
    expect((await superadmin.call("GET", query)).body.items[0].text).toContain("confirms it");
  });

  it("forgets mails and notifications after the days that the settings name", async () => {
    const person = await signUp();
    await mailTo(person.email);
    await tell(person, "quota", "old");
    const dayMs = 24 * 3_600_000;
    const later = (days: number) => ({ ...systemContext(), now: () => Date.now() + days * dayMs });
    await purge(later(29));
    expect(await mailsTo(person.email)).toHaveLength(1);
    expect(await titles(person)).toEqual(["old"]);
    // Only what this test made is old enough: everything else of the shared database stays.
    const old = Date.now() - 31 * dayMs;
    await bindings.DB.prepare("update outbox_mails set created_at = ? where recipient = ?")
      .bind(old, person.email)
      .run();
    await bindings.DB.prepare("update notifications set created_at = ? where user_id = ?")
      .bind(old, person.userId)
      .run();
    await purge(later(0));
    expect(await mailsTo(person.email)).toEqual([]);
    expect(await titles(person)).toEqual([]);
  });
});
