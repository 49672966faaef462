/** The simulated Stripe's HTTP API: which act answers a request, who may ask, and what an idempotency key makes of a repeated one. */
import { createHash } from "node:crypto";
import { sandboxSecrets } from "#core/sandbox-secrets";
import type { SandboxCtx } from "../context.ts";
import {
  advanceClock,
  clockOf,
  createCreditNote,
  createPrice,
  createProduct,
  listCreditNotes,
  listInvoices,
  listMethods,
  listPrices,
  newBook,
  randomName,
  updateCustomer,
} from "./api-customers.ts";
import * as subscriptions from "./api-subscriptions.ts";
import { customerOf, emit, type Work } from "./book.ts";
import { missing, StripeFailure } from "./failure.ts";
import { faultOf, misbehave } from "./faults.ts";
import { bodyOf, type Form, parseForm, text } from "./form.ts";
import { type KeepAs, nowSeconds, onBook, onCatalog, onNewBook } from "./run.ts";
import { findEvent, findReply, keepReply, readBook, readCatalog } from "./store.ts";
import { expanded } from "./wire.ts";

const maxBodyBytes = 65_536;

interface Call {
  method: string;
  path: string;
  form: Form;
  keepAs: KeepAs | undefined;
}

export async function answerApi(ctx: SandboxCtx, request: Request, path: string): Promise<Response> {
  try {
    requireKey(ctx, request);
    const body = request.method === "GET" ? "" : await bodyOf(request);
    if (body.length > maxBodyBytes) throw new StripeFailure(413, "invalid_request_error", { message: "Too large." });
    const query = new URL(request.url).search.slice(1);
    return await answerOnce(ctx, {
      method: request.method,
      path,
      form: parseForm(body === "" ? query : body),
      keepAs: keyOf(request, { path, body }),
    });
  } catch (error) {
    if (error instanceof StripeFailure) return respond(error.status, JSON.stringify(error.body));
    throw error;
  }
}

function requireKey(ctx: SandboxCtx, request: Request): void {
  const { secretKey } = sandboxSecrets(ctx.settings, "stripe");
  if (request.headers.get("authorization") !== `Bearer ${secretKey}`)
    throw new StripeFailure(401, "invalid_request_error", { message: "Invalid API Key provided." });
}

function keyOf(request: Request, { path, body }: { path: string; body: string }): KeepAs | undefined {
  const key = request.headers.get("idempotency-key");
  if (key === null || request.method !== "POST") return undefined;
  return { key: key.slice(0, 255), request: createHash("sha256").update(`${path}\n${body}`).digest("hex") };
}

async function answerOnce(ctx: SandboxCtx, call: Call): Promise<Response> {
  const replay = await replayOf(ctx, call.keepAs);
  if (replay) return replay;
  const customerId = await customerIn(ctx, call);
  const fault = faultOf(await addressOf(ctx, call, customerId));
  const isWrite = call.method === "POST";
  if (fault) await misbehave(fault, "before", { isWrite });
  try {
    const answer = await act(ctx, call, customerId);
    if (fault) await misbehave(fault, "after", { isWrite });
    return respond(200, JSON.stringify(answer));
  } catch (error) {
    if (error instanceof StripeFailure && error.type === "api_error") throw error;
    // A parallel request with the same key was first: its answer is this one's, too.
    const kept = await replayOf(ctx, call.keepAs);
    if (kept) return kept;
    if (error instanceof StripeFailure && error.type === "card_error") await keepDecline(ctx, call, error);
    throw error;
  }
}

async function addressOf(ctx: SandboxCtx, { form }: Call, customerId: string | null): Promise<string> {
  if (customerId === null) return text(form, "email") ?? "";
  return (await readBook(ctx, customerId))?.value.customer.email ?? "";
}

/** Like Stripe: what reached the bank is answered alike when it is repeated. */
async function keepDecline(ctx: SandboxCtx, { keepAs }: Call, { status, body }: StripeFailure): Promise<void> {
  if (keepAs) await ctx.db.batch([keepReply(ctx, { ...keepAs, status, body: JSON.stringify(body) }) as never]);
}

async function replayOf(ctx: SandboxCtx, keepAs: KeepAs | undefined): Promise<Response | null> {
  const kept = keepAs ? await findReply(ctx, keepAs.key) : null;
  if (!kept) return null;
  if (kept.request !== keepAs?.request)
    throw new StripeFailure(400, "idempotency_error", {
      message: "Keys for idempotent requests can only be used with the same parameters they were first used with.",
    });
  return respond(kept.status, kept.body, { "idempotent-replayed": "true" });
}

function respond(status: number, body: string, headers: Record<string, string> = {}): Response {
  const requestId = `req_${randomName((length) => crypto.getRandomValues(new Uint8Array(length)), 14)}`;
  return new Response(body, {
    status,
    headers: { "content-type": "application/json", "request-id": requestId, "cache-control": "no-store", ...headers },
  });
}

/** Whose book a call is about: it names the customer, or a thing whose id leads there. */
async function customerIn(ctx: SandboxCtx, { path, form }: Call): Promise<string | null> {
  const named =
    text(form, "customer") ??
    text(form, "from_subscription") ??
    text(form, "invoice") ??
    path.split("/").find((part) => customerOf(part));
  const customerId = named === undefined ? null : customerOf(named);
  if (named !== undefined && customerId === null) throw missing("customer", named);
  if (customerId !== null && !(await readBook(ctx, customerId))) throw missing("object", named ?? "");
  return customerId;
}

async function act(ctx: SandboxCtx, call: Call, customerId: string | null): Promise<unknown> {
  const { method, path, form, keepAs } = call;
  const at = nowSeconds(ctx);
  if (customerId !== null) return actOnBook(ctx, call, customerId);
  switch (`${method} ${path}`) {
    case "POST customers":
      return onNewBook(ctx, newBook(randomName(ctx.random, 14), at, form), {
        keepAs,
        act: (work) => {
          emit(work, "customer.created", work.book.customer);
          return work.book.customer;
        },
      });
    case "POST products":
      return onCatalog(ctx, { keepAs, act: (catalog) => createProduct(catalog, at, form) });
    case "POST prices":
      return onCatalog(ctx, { keepAs, act: (catalog) => createPrice(catalog, at, form) });
    case "GET prices":
      return listPrices((await readCatalog(ctx)).value, form);
    default:
      return findShared(ctx, method, path);
  }
}

async function findShared(ctx: SandboxCtx, method: string, path: string): Promise<unknown> {
  const [kind, id = ""] = path.split("/");
  if (method !== "GET") throw unknownRoute(method, path);
  const { products, prices } = (await readCatalog(ctx)).value;
  if (kind === "products") return products.find((product) => product.id === id) ?? refuse(missing("product", id));
  if (kind === "prices") return prices.find((price) => price.id === id) ?? refuse(missing("price", id));
  throw unknownRoute(method, path);
}

function refuse(failure: StripeFailure): never {
  throw failure;
}

function unknownRoute(method: string, path: string): StripeFailure {
  return new StripeFailure(404, "invalid_request_error", {
    message: `Unrecognized request URL (${method}: /v1/${path.slice(0, 100)}).`,
  });
}

type BookAct = (work: Work, form: Form, id: string, realNow: number) => unknown;

/** `:` stands for an id. */
const bookActs: Record<string, BookAct> = {
  "GET customers/:": ({ book }) => book.customer,
  "POST customers/:": (work, form) => updateCustomer(work, form),
  "GET customers/:/payment_methods": (work, form) => listMethods(work, form),
  "GET payment_methods": (work, form) => listMethods(work, form),
  "GET checkout/sessions": (work, form) => subscriptions.listSessions(work, form),
  "POST checkout/sessions": (work, form) => subscriptions.createSession(work, form),
  "GET checkout/sessions/:": (work, _, id) => subscriptions.sessionNamed(work, id),
  "POST checkout/sessions/:/expire": (work, _, id) => subscriptions.expireSession(work, id),
  "POST billing_portal/sessions": (work, form) => subscriptions.createPortal(work, form),
  "GET subscriptions": (work, form) => subscriptions.listSubscriptions(work, form),
  "GET subscriptions/:": (work, _, id) => subscriptions.subscriptionNamed(work, id),
  "POST subscriptions/:": (work, form, id) => subscriptions.updateSubscription(work, id, form),
  "DELETE subscriptions/:": (work, _, id) => subscriptions.cancelSubscription(work, id),
  "POST subscription_schedules": (work, form) => subscriptions.createSchedule(work, form),
  "GET subscription_schedules/:": (work, _, id) => subscriptions.scheduleNamed(work, id),
  "POST subscription_schedules/:": (work, form, id) => subscriptions.updateSchedule(work, id, form),
  "POST subscription_schedules/:/release": (work, _, id) => subscriptions.releaseSchedule(work, id),
  "GET credit_notes": (work, form) => listCreditNotes(work, form),
  "POST credit_notes": (work, form) => createCreditNote(work, form),
  "GET invoices": (work, form) => listInvoices(work, form),
  "GET invoices/:": ({ book }, _, id) =>
    book.invoices.find((invoice) => invoice.id === id) ?? refuse(missing("invoice", id)),
  "GET test_helpers/test_clocks/:": ({ book, at }) => clockOf(book, at),
  "POST test_helpers/test_clocks/:/advance": (work, form, _, realNow) => advanceClock(work, realNow, form),
};

async function actOnBook(ctx: SandboxCtx, { method, path, form, keepAs }: Call, customerId: string): Promise<unknown> {
  const parts = path.split("/");
  const id = parts.find((part) => customerOf(part)) ?? "";
  if (method === "GET" && parts[0] === "events") return (await findEvent(ctx, id)) ?? refuse(missing("event", id));
  const found = bookActs[`${method} ${parts.map((part) => (part === id && id !== "" ? ":" : part)).join("/")}`];
  if (!found) throw unknownRoute(method, path);
  return onBook(ctx, customerId, {
    keepAs,
    act: (work) => {
      const realNow = nowSeconds(ctx);
      return expanded(work.book, found(work, form, id, realNow), form);
    },
  });
}
