/** /v1/status: what it says of mail, by what became of the last ones. */
import { beforeEach, describe, expect, it } from "vitest";
import { commitWithJobs } from "#core/job";
import { type MailHealth, mailVerdict } from "#features/notifications/rules";
import { mailJob } from "#features/notifications/service";
import { bindings, call, systemContext } from "#test/support/harness";

const run = (sql: string, ...values: unknown[]) =>
  bindings.DB.prepare(sql)
    .bind(...values)
    .run();

/** What a transport said of a mail just now, or some minutes ago. */
async function said(state: "sent" | "refused" | "failed", minutesAgo = 0) {
  const id = crypto.randomUUID();
  await run(
    `insert into outbox_mails (id, template, recipient, transport, state, message_id, created_at) values (?, 'sign-in-code', ?, 'smtp', ?, ?, ?)`,
    id,
    `${id}@example.com`,
    state,
    `<${id}@localhost>`,
    Date.now() - minutesAgo * 60_000,
  );
}

/** A mail that was tried so often and is not out. */
async function waiting(attempt: number) {
  const ctx = { ...systemContext(), offer: () => Promise.resolve() };
  const data = { code: "123456", expiresInMinutes: 10 };
  const job = mailJob(ctx, { template: "sign-in-code", to: "waits@example.com", data });
  await commitWithJobs(ctx, [], [job]);
  await run("update jobs set attempt = ?, run_at = ? where id = ?", attempt, Date.now() + 60_000, job.jobId);
}

const mail = async () => (await call("GET", "/v1/status")).body.parts.mail;

beforeEach(async () => {
  await run("delete from outbox_mails");
  await run("delete from jobs where name = 'notifications.send-mail'");
});

describe("the state of mail", () => {
  it("names the transport, and is fine when nothing was sent", async () => {
    expect(await mail()).toEqual({ status: "ok", detail: "Nothing was sent lately.", transport: "outbox" });
    const env = { ...bindings, MAIL_TRANSPORT: "resend", RESEND_API_KEY: "re_key", FROM_EMAIL: "us@example.com" };
    const answer = await call("GET", "/v1/status", { env: env as unknown as typeof bindings });
    expect(answer.body.parts.mail).toMatchObject({ status: "ok", transport: "resend" });
  });

  it("is fine after a mail that was taken or whose receiver was refused, and not after one that was given up", async () => {
    await said("failed", 3);
    expect(await mail()).toMatchObject({ status: "degraded", detail: "The last mail was given up." });
    expect((await call("GET", "/v1/status")).body.status).not.toBe("ok");
    await said("refused", 2);
    expect((await mail()).status).toBe("ok");
    await said("failed", 1);
    expect((await mail()).status).toBe("degraded");
    await said("sent");
    expect(await mail()).toMatchObject({ status: "ok", detail: "The last mail was taken." });
  });

  it("is degraded while mails wait that nothing gets through for", async () => {
    await waiting(2);
    expect((await mail()).status).toBe("ok");
    await waiting(3);
    expect(await mail()).toMatchObject({ status: "degraded", detail: "A mail waits for a further try." });
    await waiting(7);
    expect(await mail()).toMatchObject({ status: "degraded", detail: "2 mails wait for a further try." });
    await said("sent", 11);
    expect((await mail()).status).toBe("degraded");
    await said("sent", 9);
    expect((await mail()).status).toBe("ok");
  });

  it("tells no address, no words and no error of the transport", async () => {
    await said("failed");
    await waiting(5);
    expect(JSON.stringify((await call("GET", "/v1/status")).body)).not.toContain("example.com");
  });
});

it("is decided from values alone", () => {
  const at = 10_000_000;
  const never: MailHealth = { last: null, answeredAt: null, waiting: 0 };
  expect(mailVerdict(never, at).works).toBe(true);
  expect(mailVerdict({ ...never, waiting: 1 }, at).works).toBe(false);
  expect(mailVerdict({ last: { state: "sent", at }, answeredAt: at, waiting: 5 }, at + 600_000).works).toBe(true);
  expect(mailVerdict({ last: { state: "sent", at }, answeredAt: at, waiting: 5 }, at + 600_001).works).toBe(false);
});
