/** One page to pay on a workspace: whatever is asked for, and however parallel, nobody can pay twice. */
import { describe, expect, it } from "vitest";
import { bindings, type Called, type Person, signUp } from "#test/support/harness";
import { audited, current, customerOf, press, runJobs, stripe } from "./support.ts";

const path = "/v1/subscriptions/checkout";
const ask = (person: Person, body: object): Promise<Called> => person.call("POST", path, { body });

async function openPages(person: Person): Promise<string[]> {
  const { body } = await stripe("GET", `checkout/sessions?customer=${await customerOf(person)}&status=open&limit=100`);
  return body.data.map(({ id }: { id: string }) => id);
}

async function livingOf(person: Person): Promise<{ id: string }[]> {
  const { body } = await stripe("GET", `subscriptions?customer=${await customerOf(person)}&limit=100`);
  return body.data;
}

async function paidOf(person: Person): Promise<number> {
  const { body } = await stripe("GET", `invoices?customer=${await customerOf(person)}&limit=100`);
  return body.data.reduce((sum: number, { amount_paid: paid }: { amount_paid: number }) => sum + paid, 0);
}

/** As if the trial had been used: then paying twice would cost at once. */
async function pastTrial(person: Person): Promise<void> {
  await ask(person, { plan: "pro" });
  await bindings.DB.prepare("update billing_accounts set trial_used_at = 1 where workspace_id = ?")
    .bind(person.workspaceId)
    .run();
}

describe("the page to pay on", () => {
  it("is the same for parallel requests, and for the next one", async () => {
    const person = await signUp();
    const opened = await Promise.all(Array.from({ length: 8 }, () => ask(person, { plan: "enterprise" })));
    expect(opened.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    expect(new Set(opened.map(({ body }) => body.id)).size).toBe(1);
    expect(new Set(opened.map(({ body }) => body.checkout_url)).size).toBe(1);
    const again = await ask(person, { plan: "enterprise" });
    expect(again.body.id).toBe(opened[0]?.body.id);
    expect(await openPages(person)).toEqual([again.body.id]);
  });

  it("is one also when parallel requests ask for different plans, and can be paid once", async () => {
    const person = await signUp();
    await pastTrial(person);
    const wanted = ["pro", "enterprise", "pro", "enterprise", "pro", "enterprise"];
    const opened = await Promise.all(
      wanted.map((plan, index) => ask(person, { plan, interval: index < 3 ? "month" : "year" })),
    );
    for (const { status, body, headers } of opened) {
      if (status === 200) continue;
      expect({ status, code: body.code }).toEqual({ status: 409, code: "checkout-under-way" });
      expect(headers.get("retry-after")).toBe("2");
    }
    expect((await openPages(person)).length).toBeLessThanOrEqual(1);
    const last = await ask(person, { plan: "pro" });
    expect(last.status).toBe(200);
    expect(await openPages(person)).toEqual([last.body.id]);
    const urls = new Set([...opened, last].flatMap(({ body }) => body.checkout_url ?? []));
    const paid = await Promise.all([...urls].map((url) => press(url, { action: "pay", choice: "visa" })));
    expect(paid.filter(({ status }) => status === 303).length).toBe(1);
    expect((await livingOf(person)).length).toBe(1);
    expect(await paidOf(person)).toBe(2_999);
  });

  it("is closed for another plan, and opened anew when it has ended", async () => {
    const person = await signUp();
    const pro = await ask(person, { plan: "pro" });
    const yearly = await ask(person, { plan: "pro", interval: "year" });
    expect(yearly.body.id).not.toBe(pro.body.id);
    expect((await press(pro.body.checkout_url, { action: "pay", choice: "visa" })).status).toBe(404);
    await rewind(person, yearly.body.id, 86_400);
    expect((await press(yearly.body.checkout_url, { action: "pay", choice: "visa" })).status).toBe(404);
    const next = await ask(person, { plan: "pro", interval: "year" });
    expect(next.body.id).not.toBe(yearly.body.id);
    expect(await openPages(person)).toEqual([next.body.id]);
  });

  it("is not handed out again when it ends before somebody could pay", async () => {
    const person = await signUp();
    const first = await ask(person, { plan: "pro" });
    await rewind(person, first.body.id, 86_400 - 600);
    const next = await ask(person, { plan: "pro" });
    expect(next.body.id).not.toBe(first.body.id);
    expect(await openPages(person)).toEqual([next.body.id]);
  });

  it("that was opened and never noted is found again, by the same and by another request", async () => {
    const person = await signUp();
    const first = await ask(person, { plan: "pro" });
    await forget(person);
    expect((await ask(person, { plan: "pro" })).body.id).toBe(first.body.id);
    await forget(person);
    const other = await ask(person, { plan: "enterprise" });
    expect(other).toMatchObject({ status: 200, body: { plan: "enterprise" } });
    expect(await openPages(person)).toEqual([other.body.id]);
    expect(await audited(person.workspaceId)).toContain("subscription.checkout-started");
  });

  it("that was opened, never noted and has ended does not stand in the way", async () => {
    const person = await signUp();
    const first = await ask(person, { plan: "pro" });
    await forget(person);
    await stripe("POST", `checkout/sessions/${first.body.id}/expire`, {});
    for (const plan of ["enterprise", "pro"]) {
      const next = await ask(person, { plan });
      expect(next.status).toBe(200);
      expect(await openPages(person)).toEqual([next.body.id]);
    }
  });

  it("is not opened beside one that was paid a moment ago", async () => {
    const person = await signUp();
    const first = await ask(person, { plan: "pro" });
    await press(first.body.checkout_url, { action: "pay", choice: "visa" });
    // Nothing of the payment was read yet.
    for (const plan of ["pro", "enterprise"])
      expect(await ask(person, { plan })).toMatchObject({ status: 409, body: { code: "subscription-exists" } });
    expect(await openPages(person)).toEqual([]);
    expect((await livingOf(person)).length).toBe(1);
    await runJobs(person.workspaceId);
    expect((await current(person)).tier).toBe("pro");
  });

  it("is closed when the workspace turns out to pay already", async () => {
    const person = await signUp();
    const first = await ask(person, { plan: "pro" });
    await payElsewhere(person);
    expect(await ask(person, { plan: "pro" })).toMatchObject({ status: 409, body: { code: "subscription-exists" } });
    expect(await openPages(person)).toEqual([]);
    expect((await press(first.body.checkout_url, { action: "pay", choice: "visa" })).status).toBe(404);
  });
});

describe("two subscriptions of one customer", () => {
  it("that came to be all the same are settled: the better one stays, the other is ended", async () => {
    const person = await signUp();
    await ask(person, { plan: "pro" });
    await payElsewhere(person);
    await payElsewhere(person);
    expect((await livingOf(person)).length).toBe(2);
    await runJobs(person.workspaceId);
    await runJobs(person.workspaceId);
    const left = await livingOf(person);
    expect(left.length).toBe(1);
    expect((await current(person)).subscription.id).toBe(left[0]?.id);
    // Whoever paid twice has the second payment back.
    const { body: bills } = await stripe("GET", `invoices?customer=${await customerOf(person)}`);
    const notes = await Promise.all(
      bills.data.map(async ({ id }: { id: string }) => (await stripe("GET", `credit_notes?invoice=${id}`)).body.data),
    );
    expect(notes.flat().map(({ refund_amount: refund }: { refund_amount: number }) => refund)).toEqual([
      expect.toSatisfy((cents: number) => cents > 2_990 && cents <= 2_999),
    ]);
  });
});

/** Lets so many seconds of a page's day pass. */
async function rewind(person: Person, sessionId: string, seconds: number): Promise<void> {
  const customer = await customerOf(person);
  const row = await bindings.DB.prepare("select data from sandbox_stripe_books where id = ?")
    .bind(customer)
    .first<{ data: string }>();
  const book = JSON.parse(row?.data ?? "{}");
  for (const session of book.sessions) if (session.id === sessionId) session.expires_at -= seconds;
  await bindings.DB.prepare("update sandbox_stripe_books set data = ? where id = ?")
    .bind(JSON.stringify(book), customer)
    .run();
}

/** As if the request had died between the payment company's answer and its own writing. */
async function forget({ workspaceId }: Person): Promise<void> {
  await bindings.DB.prepare("update billing_accounts set checkout_id = null where workspace_id = ?")
    .bind(workspaceId)
    .run();
}

/** A page that this product did not open: by hand at the payment company. */
async function payElsewhere(person: Person): Promise<void> {
  const customer = await customerOf(person);
  const { body: prices } = await stripe("GET", "prices?lookup_keys[]=overtone_pro_month");
  const made = await stripe("POST", "checkout/sessions", {
    mode: "subscription",
    customer,
    "line_items[0][price]": prices.data[0].id,
    "line_items[0][quantity]": "1",
    success_url: "http://127.0.0.1:8787/console/billing",
  });
  await press(made.body.url, { action: "pay", choice: "visa" });
}
