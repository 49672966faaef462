/** A payment company that speaks Stripe's wire format and shows each customer as far as its story has been told. Loopback only. */
import { createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Invoice, State, Step, Subscription } from "./history.ts";

export interface Customer {
  id: string;
  steps: Step[];
  /** So many steps have happened. */
  happened: number;
}

export interface Company {
  url: string;
  customers: Map<string, Customer>;
  reads(): number;
  close(): Promise<void>;
}

export async function openCompany(): Promise<Company> {
  const customers = new Map<string, Customer>();
  let reads = 0;
  const server = createServer((request, response) => {
    reads += request.method === "GET" ? 1 : 0;
    answer(customers, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    customers,
    reads: () => reads,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function answer(customers: Map<string, Customer>, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = respond(customers, `${request.method} ${url.pathname}`, url.searchParams);
    const status = body === null ? 404 : 200;
    const missing = { error: { type: "invalid_request_error", code: "resource_missing", message: "No such object" } };
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body ?? missing));
  });
}

const list = (data: unknown[]) => ({ object: "list", data, has_more: false, url: "/" });

function respond(customers: Map<string, Customer>, call: string, query: URLSearchParams): unknown {
  const customer = customers.get(query.get("customer") ?? "");
  if (call === "POST /v1/customers") {
    const id = `cus_${String(customers.size).padStart(6, "0")}`;
    customers.set(id, { id, steps: [], happened: 0 });
    return { id, object: "customer" };
  }
  if (call === "GET /v1/prices") return list([]);
  if (call.startsWith("GET /v1/products/")) return { id: "overtone", object: "product" };
  if (call === "POST /v1/prices") return { id: "price_1", object: "price" };
  if (call === "POST /v1/checkout/sessions")
    return {
      id: "cs_1",
      object: "checkout.session",
      status: "open",
      url: "https://checkout.example.com/",
      expires_at: 2_000_000_000,
      metadata: {},
    };
  if (call === "GET /v1/subscriptions" && customer)
    return list(stateOf(customer).subscriptions.map((subscription) => wireSubscription(customer.id, subscription)));
  if (call === "GET /v1/invoices" && customer) {
    const open = stateOf(customer).invoices.filter(({ status }) => status === query.get("status"));
    return list(open.map((invoice) => wireInvoice(customer.id, invoice)));
  }
  if (call.startsWith("GET /v1/invoices/")) return findInvoice(customers, call.slice("GET /v1/invoices/".length));
  return null;
}

export function stateOf({ steps, happened }: Customer): State {
  return steps[happened - 1]?.state ?? { subscriptions: [], invoices: [] };
}

/** The id of a customer's thing begins with the customer's own. */
function findInvoice(customers: Map<string, Customer>, id: string): unknown {
  const customer = customers.get(`cus_${id.slice("in_".length).split("x")[0]}`);
  const found = customer && stateOf(customer).invoices.find((invoice) => invoice.id === id);
  return customer && found ? wireInvoice(customer.id, found) : null;
}

export function wireSubscription(customer: string, subscription: Subscription) {
  const { id, plan, interval, start, end, pending } = subscription;
  const metadata = { overtone_plan: plan, overtone_interval: interval };
  return {
    id,
    object: "subscription",
    customer,
    status: subscription.status,
    created: subscription.created,
    cancel_at_period_end: subscription.cancels,
    trial_start: subscription.trialStart,
    trial_end: subscription.status === "trialing" ? end : null,
    latest_invoice: null,
    metadata: {},
    schedule:
      pending === null
        ? null
        : {
            id: `sched_${id}`,
            object: "subscription_schedule",
            current_phase: { start_date: start, end_date: end },
            phases: [
              { start_date: start, end_date: end, items: [], metadata: {} },
              {
                start_date: end,
                end_date: end + 2_592_000,
                items: [],
                metadata: { overtone_plan: pending, overtone_interval: "month" },
              },
            ],
          },
    items: list([
      { id: `si_${id}`, price: { id: "price_1", metadata }, current_period_start: start, current_period_end: end },
    ]),
  };
}

export function wireInvoice(customer: string, invoice: Invoice) {
  const { id, created, status, attempts, subscription } = invoice;
  return {
    id,
    object: "invoice",
    customer,
    number: id,
    status,
    amount_due: 2_999,
    amount_paid: status === "paid" ? 2_999 : 0,
    currency: "usd",
    attempt_count: attempts,
    created,
    period_start: created,
    period_end: created,
    parent: { type: "subscription_details", subscription_details: { subscription, metadata: {} } },
    status_transitions: { finalized_at: created, paid_at: status === "paid" ? created : null },
    hosted_invoice_url: null,
    invoice_pdf: null,
  };
}

/** The event of a step, with what the customer looked like then. */
export function wireEvent(customer: Customer, step: Step): string {
  const { kind, id } = step.about;
  const { subscriptions, invoices } = step.state;
  const subscription = subscriptions.find((candidate) => candidate.id === id);
  const invoice = invoices.find((candidate) => candidate.id === id);
  const object =
    kind === "invoice"
      ? invoice && wireInvoice(customer.id, invoice)
      : subscription && wireSubscription(customer.id, subscription);
  return JSON.stringify({
    id: step.id,
    object: "event",
    api_version: "2026-10-28.endive",
    type: step.type,
    created: step.at,
    livemode: false,
    data: { object },
  });
}

export function signatureOf(secret: string, body: string): string {
  const at = Math.floor(Date.now() / 1_000);
  return `t=${at},v1=${createHmac("sha256", secret).update(`${at}.${body}`).digest("hex")}`;
}
