/**
 * Events of a payment company, shuffled and repeated, lead to the same final state as in order; forged ones to nothing. `npm run bar:billing`
 */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { type Bar, type BarOptions, type BarResult, main, note } from "../options.ts";
import { startWithPeople } from "../people.ts";
import { makeChance } from "../random.ts";
import { openStage, type Stage } from "../stage.ts";
import { type Company, type Customer, openCompany, signatureOf, wireEvent } from "./company.ts";
import { type Step, tellHistory } from "./history.ts";
import { mutants } from "./mutants.ts";
import { type Pair, verify } from "./verify.ts";

interface Counts {
  workspaces: number;
  eventsEach: number;
}

/** 10,000 events, quick 1,000; as many again in order, for workspaces with the same story. An address may register 60 people a minute. */
const full: Counts = { workspaces: 25, eventsEach: 400 };
const reduced: Counts = { workspaces: 10, eventsEach: 100 };
const least: Counts = { workspaces: 6, eventsEach: 30 };
const repeatedShare = 0.3;
const forgedShare = 0.02;
const parallel = 16;
const settleSeconds = 1_800;

export const bar: Bar = { name: "billing", mutants, run };

interface Delivery {
  customer: Customer;
  index: number;
  isForged: boolean;
}

interface Office {
  stage: Stage;
  company: Company;
  secret: string;
  tokens: string[];
  tally: { sent: number; duplicates: number; forged: number };
  violations: string[];
}

async function run(options: BarOptions, variant: string | null): Promise<BarResult> {
  const ownCounts = options.quick ? reduced : full;
  const counts = variant === null ? ownCounts : least;
  note(`billing${variant === null ? "" : `, mutant ${variant}`}: ${JSON.stringify(counts)}, seed ${options.seed}`);
  const company = await openCompany();
  const secret = `whsec_${randomBytes(18).toString("hex")}`;
  const stage = await openStage(mutants.find(({ name }) => name === variant)?.patches ?? [], {
    STRIPE_SECRET_KEY: randomBytes(18).toString("hex"),
    STRIPE_WEBHOOK_SECRET: secret,
    STRIPE_API_BASE: company.url,
  });
  const office: Office = {
    stage,
    company,
    secret,
    tokens: [],
    tally: { sent: 0, duplicates: 0, forged: 0 },
    violations: [],
  };
  try {
    const pairs = await makePairs(office, options, counts);
    const base = counts.workspaces * counts.eventsEach;
    const repeated = await deliverAll(office, options, pairs);
    await settle(office);
    await stage.stop();
    const verified = verify(stage.stateDir, pairs, 2 * base);
    const violations = [...office.violations, ...verified.violations];
    if (office.tally.duplicates !== repeated)
      violations.push(`double: ${office.tally.duplicates} of ${repeated} repeated events were known`);
    return {
      ok: violations.length === 0,
      counts: { ...counts, shuffled: base, repeated, inOrder: base },
      ...office.tally,
      companyReads: company.reads(),
      violations,
    };
  } finally {
    await stage.remove();
    await company.close();
  }
}

/** Two workspaces for each story: one hears of it shuffled, the other in order. */
async function makePairs(office: Office, { seed }: BarOptions, counts: Counts): Promise<Pair[]> {
  const people = await startWithPeople(office.stage, counts.workspaces * 2);
  const customers: Customer[] = [];
  office.tokens = people.map(({ token }) => token);
  for (const { token } of people) {
    const known = new Set(office.company.customers.keys());
    const answer = await fetch(`${office.stage.url}/v1/subscriptions/checkout`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ plan: "pro" }),
    });
    if (answer.status !== 200) throw new Error(`checkout answered ${answer.status} ${await answer.text()}`);
    const [made] = [...office.company.customers.values()].filter(({ id }) => !known.has(id));
    if (!made) throw new Error("a checkout made no customer");
    made.steps = tellHistory(makeChance(seed + Math.floor(customers.length / 2)), made.id.slice(4), counts.eventsEach);
    customers.push(made);
  }
  return Array.from({ length: counts.workspaces }, (_, index) => {
    const [shuffled, inOrder] = customers.slice(index * 2, index * 2 + 2);
    if (!shuffled || !inOrder) throw new Error("a pair is not complete");
    return { shuffled, inOrder };
  });
}

/** How many deliveries repeated one that was acknowledged. */
async function deliverAll(office: Office, { seed }: BarOptions, pairs: readonly Pair[]): Promise<number> {
  const chance = makeChance(seed);
  const all = (customer: Customer) =>
    customer.steps.map((_, index): Delivery => ({ customer, index, isForged: false }));
  const base = pairs.flatMap(({ shuffled }) => all(shuffled));
  const again = base.filter(() => chance.next() < repeatedShare);
  const forged = base.filter(() => chance.next() < forgedShare).map((delivery) => ({ ...delivery, isForged: true }));
  await inParallel(chance.shuffle([...base, ...again, ...forged]), (delivery) => deliver(office, delivery));
  // Each customer's own events one after the other, different customers side by side.
  await inParallel(pairs, async ({ inOrder }) => {
    for (const delivery of all(inOrder)) await deliver(office, delivery);
  });
  return again.length;
}

async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (const item of left) await work(item);
    }),
  );
}

/** An event is sent after what it tells of has happened, and often after more has. */
async function deliver(office: Office, { customer, index, isForged }: Delivery): Promise<void> {
  customer.happened = Math.max(customer.happened, index + 1);
  const step = customer.steps[index] as Step;
  const body = isForged ? wireEvent(customer, { ...step, id: `${step.id}forged` }) : wireEvent(customer, step);
  const signature = signatureOf(isForged ? "whsec_guessed" : office.secret, body);
  const answer = await fetch(`${office.stage.url}/v1/subscriptions/webhooks/stripe`, {
    method: "POST",
    headers: { "content-type": "application/json", "stripe-signature": signature },
    body,
  });
  const { duplicate } = (await answer.json()) as { duplicate?: boolean };
  office.tally.sent += 1;
  if (isForged) {
    office.tally.forged += 1;
    if (answer.status !== 400) office.violations.push(`forged: ${step.id} was answered ${answer.status}`);
  } else if (answer.status !== 200) office.violations.push(`lost: ${step.id} was answered ${answer.status}`);
  else if (duplicate) office.tally.duplicates += 1;
}

/** Until no job of any workspace is left to run: each event has one, and a slow queue works them off one by one. */
async function settle({ stage, tokens }: Office): Promise<void> {
  const until = Date.now() + settleSeconds * 1_000;
  while (Date.now() < until) {
    if (!(await anyWaits(stage, tokens))) return;
    await pause(1_000);
    await stage.tick("* * * * *");
  }
}

async function anyWaits(stage: Stage, tokens: readonly string[]): Promise<boolean> {
  for (const token of tokens) {
    for (const state of ["queued", "running"]) {
      const answer = await fetch(`${stage.url}/v1/jobs?include=all&state=${state}&limit=1`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const { items } = (await answer.json()) as { items: unknown[] };
      if (items.length > 0) return true;
    }
  }
  return false;
}

if (import.meta.main) await main(bar);
