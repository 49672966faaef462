/** The job that sends: what it seals, writes, repeats and gives up. */
import { describe, expect, it } from "vitest";
import { runJob } from "#app/run-job";
import type { AppCtx } from "#app/app-context";
import { commitWithJobs } from "#core/job";
import type { Delivery, Mail } from "#core/mailer";
import type { MailOrder } from "#features/notifications/mail-data";
import { mailJob } from "#features/notifications/service";
import { bindings, signUp, systemContext } from "#test/support/harness";
import { mailedCode, mailsTo } from "#test/support/mails";

const anybody = () => `reader-${crypto.randomUUID()}@example.com`;

async function order(given: MailOrder): Promise<string> {
  const ctx = { ...systemContext(), offer: () => Promise.resolve() };
  const job = mailJob(ctx, given);
  await commitWithJobs(ctx, [], [job]);
  return job.jobId;
}

/** A context whose transport answers what the test says, and remembers what it was handed. */
function withTransport(answers: (Delivery | Error)[], sent: Mail[] = []): AppCtx {
  return {
    ...systemContext(),
    offer: () => Promise.resolve(),
    mailer: {
      send(mail) {
        sent.push(mail);
        const answer = answers.shift() ?? { kind: "sent", vendorId: null };
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
    },
  };
}

const jobRow = (id: string) =>
  bindings.DB.prepare("select * from jobs where id = ?").bind(id).first<Record<string, string | number | null>>();
const outboxOf = (to: string) =>
  bindings.DB.prepare("select * from outbox_mails where recipient = ?").bind(to).all<Record<string, string | null>>();
const makeDue = (id: string) => bindings.DB.prepare("update jobs set run_at = 0 where id = ?").bind(id).run();

describe("a mail", () => {
  it("lies in the outbox with its words, when that is the transport", async () => {
    const to = anybody();
    await order({ template: "sign-in-code", to, data: { code: "482913", expiresInMinutes: 10 } });
    const [mail, ...others] = await mailsTo(to);
    expect(others).toEqual([]);
    expect(mail).toMatchObject({ template: "sign-in-code", state: "sent", subject: "Your sign-in code" });
    expect(mail?.html).toContain("482913");
    expect(await mailedCode(to, "sign-in-code")).toBe("482913");
  });

  it("does not lie in its job's row in clear", async () => {
    const to = anybody();
    const id = await order({
      template: "reset-password",
      to,
      data: { code: "917355", link: "https://example.com/reset?code=917355", expiresInMinutes: 10 },
    });
    const row = await jobRow(id);
    expect(JSON.stringify(row)).not.toContain("917355");
    expect(row).toMatchObject({ workspace_id: "system", user_id: null, lane: "delivery" });
  });

  it("is recorded without its words, when another transport took it", async () => {
    const to = anybody();
    const id = await order({ template: "sign-in-code", to, data: { code: "482913", expiresInMinutes: 10 } });
    const ctx = withTransport([{ kind: "sent", vendorId: "vendor-7" }]);
    await runJob({ ...ctx, settings: { ...ctx.settings, mail: { ...ctx.settings.mail, transport: "smtp" } } }, id);
    const { results } = await outboxOf(to);
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ state: "sent", transport: "smtp", vendor_id: "vendor-7" });
    expect([results[0]?.["subject"], results[0]?.["text"], results[0]?.["html"]]).toEqual([null, null, null]);
  });

  it("fails for good when the other side refuses it, and says why to staff", async () => {
    const to = anybody();
    const id = await order({ template: "account-exists", to, data: {} });
    await runJob(withTransport([{ kind: "refused", why: "550 no such box" }]), id);
    expect(await jobRow(id)).toMatchObject({ state: "failed", problem_code: "mail-refused" });
    expect((await outboxOf(to)).results).toMatchObject([{ state: "refused", problem: "550 no such box" }]);
  });

  it("is tried again, with the same Message-ID, until it is taken", async () => {
    const to = anybody();
    const sent: Mail[] = [];
    const id = await order({ template: "password-changed", to, data: {} });
    const ctx = withTransport([{ kind: "later", why: "451 busy", afterSeconds: null }, new Error("cut")], sent);
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await makeDue(id);
      await runJob(ctx, id);
      expect(await jobRow(id)).toMatchObject({ state: attempt < 3 ? "queued" : "succeeded", attempt });
    }
    expect(sent).toHaveLength(3);
    expect(new Set(sent.map((mail) => mail.messageId)).size).toBe(1);
    expect(sent[0]?.messageId).toMatch(/^<mail_[0-9a-z]{26}@[a-z.]+>$/);
    expect((await outboxOf(to)).results).toHaveLength(1);
  });

  it("is given up after its attempts, and staff see that", async () => {
    const to = anybody();
    const id = await order({ template: "password-changed", to, data: {} });
    await bindings.DB.prepare("update jobs set attempt = max_attempts - 1 where id = ?").bind(id).run();
    await runJob(withTransport([{ kind: "later", why: "451 busy", afterSeconds: null }]), id);
    expect(await jobRow(id)).toMatchObject({ state: "failed", problem_code: "job-lost" });
    expect((await outboxOf(to)).results).toMatchObject([{ state: "failed" }]);
  });

  it("that nobody must read goes only to people who have an account and want it", async () => {
    const person = await signUp();
    const data = { endsAt: Date.UTC(2026, 11, 1) };
    await order({ template: "trial-ending", to: person.email, data, userId: person.userId });
    expect(await mailsTo(person.email)).toMatchObject([{ template: "trial-ending" }]);
    await bindings.DB.prepare("update users set preferences = ? where id = ?")
      .bind(JSON.stringify({ notifications: { billing: { mail: false } } }), person.userId)
      .run();
    await order({ template: "trial-ending", to: person.email, data });
    expect(await mailsTo(person.email)).toHaveLength(1);
    const stranger = anybody();
    await order({ template: "trial-ending", to: stranger, data });
    expect(await mailsTo(stranger)).toEqual([]);
  });
});
