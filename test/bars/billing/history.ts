/** What happens to customers at a payment company, as a seed tells it: each step is a new state of everything a customer has, and its event. */
import type { Chance } from "../random.ts";

export type Plan = "pro" | "enterprise";

export interface Subscription {
  id: string;
  created: number;
  status: "trialing" | "active" | "past_due" | "canceled";
  plan: Plan;
  interval: "month" | "year";
  start: number;
  end: number;
  cancels: boolean;
  trialStart: number | null;
  pending: Plan | null;
}

export interface Invoice {
  id: string;
  subscription: string;
  created: number;
  status: "open" | "paid";
  attempts: number;
}

/** Everything a customer has after a step; newest first. */
export interface State {
  subscriptions: readonly Subscription[];
  invoices: readonly Invoice[];
}

export interface Step {
  id: string;
  type: string;
  at: number;
  state: State;
  about: { kind: "subscription" | "invoice"; id: string };
}

const daySeconds = 86_400;
const beginning = 1_767_225_600;
/** A page of a list, which is what the product reads. */
const maxSubscriptions = 20;

/** One customer's steps, in their order. `name` makes the ids; the same chance tells the same story under another name. */
export function tellHistory(chance: Chance, name: string, steps: number): Step[] {
  const told: Step[] = [];
  let state: State = { subscriptions: [], invoices: [] };
  let at = beginning;
  for (let index = 0; index < steps; index += 1) {
    at += chance.between(60, 20 * daySeconds);
    const next = nextStep(chance, state, { name, index, at });
    ({ state } = next);
    told.push({ id: `evt_${name}x${index}`, at, ...next });
  }
  return told;
}

interface Moment {
  name: string;
  index: number;
  at: number;
}

type Next = Pick<Step, "type" | "state" | "about">;

function nextStep(chance: Chance, state: State, moment: Moment): Next {
  const [current] = state.subscriptions;
  if (!current || current.status === "canceled") {
    // A book of so many subscriptions is not what is tried here: then the last one only changes no more.
    if (state.subscriptions.length >= maxSubscriptions && current)
      return { type: "customer.subscription.deleted", state, about: { kind: "subscription", id: current.id } };
    return begin(chance, state, moment);
  }
  return change(chance, { state, current, moment });
}

function begin(chance: Chance, state: State, { name, index, at }: Moment): Next {
  const isTrial = chance.next() < 0.4;
  const made: Subscription = {
    id: `sub_${name}x${index}`,
    created: at,
    status: isTrial ? "trialing" : "active",
    plan: chance.pick(["pro", "enterprise"]),
    interval: chance.pick(["month", "year"]),
    start: at,
    end: at + 30 * daySeconds,
    cancels: false,
    trialStart: isTrial ? at : null,
    pending: null,
  };
  return {
    type: "customer.subscription.created",
    state: { ...state, subscriptions: [made, ...state.subscriptions] },
    about: { kind: "subscription", id: made.id },
  };
}

interface Changing {
  state: State;
  current: Subscription;
  moment: Moment;
}

function change(chance: Chance, { state, current, moment }: Changing): Next {
  const put = (type: string, changes: Partial<Subscription>): Next => ({
    type,
    state: { ...state, subscriptions: [{ ...current, ...changes }, ...state.subscriptions.slice(1)] },
    about: { kind: "subscription", id: current.id },
  });
  const updated = "customer.subscription.updated";
  const roll = chance.between(0, 99);
  const [open] = state.invoices.filter(({ status }) => status === "open");
  if (current.status === "past_due" && open && roll < 60) return pay(state, { current, open, isPaid: roll < 35 });
  if (roll < 20) return put(updated, { plan: current.plan === "pro" ? "enterprise" : "pro", pending: null });
  if (roll < 35) return put(updated, { cancels: !current.cancels });
  if (roll < 50) return put(updated, { pending: current.pending === null ? "pro" : null });
  if (roll < 60) return put(updated, { interval: current.interval === "month" ? "year" : "month" });
  if (roll < 63) return put("customer.subscription.deleted", { status: "canceled", pending: null });
  return bill(state, { current, moment, isPaid: roll < 85 });
}

/** A new period; its invoice is paid or not. */
function bill(state: State, given: { current: Subscription; moment: Moment; isPaid: boolean }): Next {
  const { current, moment, isPaid } = given;
  const id = `in_${moment.name}x${moment.index}`;
  const made: Invoice = {
    id,
    subscription: current.id,
    created: moment.at,
    status: isPaid ? "paid" : "open",
    attempts: 1,
  };
  const renewed: Subscription = {
    ...current,
    status: isPaid ? "active" : "past_due",
    start: moment.at,
    end: moment.at + 30 * daySeconds,
  };
  return {
    type: isPaid ? "invoice.paid" : "invoice.payment_failed",
    state: { subscriptions: [renewed, ...state.subscriptions.slice(1)], invoices: [made, ...state.invoices] },
    about: { kind: "invoice", id },
  };
}

function pay(state: State, { current, open, isPaid }: { current: Subscription; open: Invoice; isPaid: boolean }): Next {
  const tried: Invoice = { ...open, attempts: open.attempts + 1, status: isPaid ? "paid" : "open" };
  const invoices = state.invoices.map((invoice) => (invoice.id === open.id ? tried : invoice));
  const isEven = !invoices.some(({ status, subscription }) => status === "open" && subscription === current.id);
  const changed: Subscription = { ...current, status: isEven ? "active" : "past_due" };
  return {
    type: isPaid ? "invoice.paid" : "invoice.payment_failed",
    state: { subscriptions: [changed, ...state.subscriptions.slice(1)], invoices },
    about: { kind: "invoice", id: open.id },
  };
}
