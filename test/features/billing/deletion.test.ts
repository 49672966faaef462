/** The end of a workspace ends what it pays for, and nothing else does. */
import { describe, expect, it } from "vitest";
import { endSubscriptionJob } from "#features/billing/jobs/end-subscription";
import { runJob } from "#app/run-job";
import { deleteAccount } from "#features/accounts/deletion";
import { deleteWorkspace } from "#features/workspaces/manage";
import { actingAs, rows } from "#test/features/usage/support";
import { makeTeam } from "#test/features/workspaces/support";
import { bindings, call, type Person, signUp, systemContext } from "#test/support/harness";
import { advance, audited, buy, current, customerOf, press, runJobs, stripe } from "./support.ts";

/** The owner of a new team, acting in it. */
async function ownerOfTeam(): Promise<Person> {
  const { id, owner } = await makeTeam();
  return {
    ...owner,
    workspaceId: id,
    call: (method, path, options = {}) =>
      call(method, path, { as: owner.token, ...options, headers: { "x-workspace-id": id, ...options.headers } }),
  };
}

async function statesOf(person: Person): Promise<string[]> {
  const { body } = await stripe("GET", `subscriptions?customer=${await customerOf(person)}&status=all`);
  return body.data.map(({ status }: { status: string }) => status);
}

async function invoicesOf(person: Person): Promise<{ id: string; amount_paid: number }[]> {
  return (await stripe("GET", `invoices?customer=${await customerOf(person)}`)).body.data;
}

async function refundsOf(person: Person): Promise<{ refund_amount: number }[]> {
  const all: { refund_amount: number }[] = [];
  for (const { id } of await invoicesOf(person))
    all.push(...(await stripe("GET", `credit_notes?invoice=${id}`)).body.data);
  return all;
}

/** Another run of the work that follows a deletion. */
async function endAgain(workspaceId: string): Promise<void> {
  const ctx = systemContext();
  const { statement } = endSubscriptionJob.row({ ...ctx, workspaceId }, {});
  await ctx.db.batch([statement as never]);
}

const endings = (workspaceId: string) =>
  rows<{ id: string }>("select id from jobs where workspace_id = ? and name = 'billing.end-subscription'", workspaceId);

describe("deleting a workspace", () => {
  it("ends its subscription and its open page to pay on, and asks nobody for money afterwards", async () => {
    const person = await ownerOfTeam();
    await buy(person, "enterprise");
    expect((await person.call("DELETE", `/v1/workspaces/${person.workspaceId}`)).status).toBe(204);
    await runJobs(person.workspaceId);
    expect(await statesOf(person)).toEqual(["canceled"]);
    expect(await rows("select plan from workspaces where id = ?", person.workspaceId)).toEqual([{ plan: "free" }]);
    expect(await audited(person.workspaceId)).toContain("subscription.changed");
    await advance(person, { days: 400 });
    expect((await invoicesOf(person)).map(({ amount_paid: paid }) => paid)).toEqual([9_999]);
    const told = await rows<{ payload: string }>("select payload from jobs where name = 'notifications.send-mail'");
    const changes = told.filter(
      ({ payload }) => payload.includes(person.email) && payload.includes("subscription-changed"),
    );
    expect(changes).toHaveLength(1);
  });

  it("gives back what was paid for the time that is left, once", async () => {
    const person = await ownerOfTeam();
    await buy(person, "enterprise");
    await person.call("DELETE", `/v1/workspaces/${person.workspaceId}`);
    for (let round = 0; round < 2; round += 1) {
      await endAgain(person.workspaceId);
      await runJobs(person.workspaceId);
    }
    expect(await statesOf(person)).toEqual(["canceled"]);
    const given = await refundsOf(person);
    expect(given).toHaveLength(1);
    // All of the month is unused, but for the seconds of this test.
    expect(given[0]?.refund_amount).toBeGreaterThan(9_990);
    expect(given[0]?.refund_amount).toBeLessThanOrEqual(9_999);
  });

  it("in its trial gives nothing back, because nothing was paid", async () => {
    const person = await ownerOfTeam();
    await buy(person, "pro");
    await person.call("DELETE", `/v1/workspaces/${person.workspaceId}`);
    await runJobs(person.workspaceId);
    expect(await statesOf(person)).toEqual(["canceled"]);
    expect(await refundsOf(person)).toEqual([]);
  });

  it("closes the page on which somebody is about to pay", async () => {
    const person = await ownerOfTeam();
    const opened = await person.call("POST", "/v1/subscriptions/checkout", { body: { plan: "pro" } });
    expect(opened.status).toBe(200);
    await person.call("DELETE", `/v1/workspaces/${person.workspaceId}`);
    await runJobs(person.workspaceId);
    expect((await press(opened.body.checkout_url, { action: "pay", choice: "visa" })).status).toBe(404);
    expect(await statesOf(person)).toEqual([]);
  });

  it("that never had to do with payments leaves no work behind", async () => {
    const person = await ownerOfTeam();
    expect((await person.call("DELETE", `/v1/workspaces/${person.workspaceId}`)).status).toBe(204);
    expect(await endings(person.workspaceId)).toEqual([]);
  });

  it("that is refused ends nothing: the owner lost the role in the same moment", async () => {
    const person = await ownerOfTeam();
    await buy(person, "pro");
    await bindings.DB.prepare("update workspace_members set role = 'admin' where workspace_id = ? and user_id = ?")
      .bind(person.workspaceId, person.userId)
      .run();
    await expect(deleteWorkspace(actingAs(person))).rejects.toMatchObject({ code: "role-not-grantable" });
    expect(await endings(person.workspaceId)).toEqual([]);
    await runJobs(person.workspaceId);
    expect(await statesOf(person)).toEqual(["trialing"]);
    expect((await current(person)).tier).toBe("pro");
  });

  it("is what the work looks for: for a living one it does nothing", async () => {
    const person = await signUp();
    await buy(person, "pro");
    const ctx = systemContext();
    const row = endSubscriptionJob.row({ ...ctx, workspaceId: person.workspaceId }, {});
    await ctx.db.batch([row.statement as never]);
    await runJob(ctx, row.jobId);
    expect(await rows("select state, result from jobs where id = ?", row.jobId)).toEqual([
      { state: "succeeded", result: JSON.stringify({ ended: 0 }) },
    ]);
    expect(await statesOf(person)).toEqual(["trialing"]);
  });
});

describe("deleting an account", () => {
  it("ends what its own workspaces pay for, and mails nobody at the address that is gone", async () => {
    const person = await signUp();
    await buy(person, "enterprise");
    await deleteAccount(systemContext(), person.userId, { by: "self", reason: "" });
    await runJobs(person.workspaceId);
    expect(await statesOf(person)).toEqual(["canceled"]);
    const lost = await rows(
      "select id from jobs where name = 'notifications.send-mail' and payload like ?",
      `%${person.userId}@invalid%`,
    );
    expect(lost).toEqual([]);
  });
});

describe("a workspace of which something cannot be read", () => {
  it("is not taken for a deleted one", async () => {
    const person = await signUp();
    await buy(person, "pro");
    await bindings.DB.prepare("update workspaces set owner_user_id = 'usr_nobody' where id = ?")
      .bind(person.workspaceId)
      .run();
    await stripe("POST", `customers/${await customerOf(person)}`, { name: "Changed" });
    await runJobs(person.workspaceId);
    expect(await statesOf(person)).toEqual(["trialing"]);
  });
});
