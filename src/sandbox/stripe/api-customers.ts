/** Customers, their cards and invoices, products, prices and clocks of the simulated Stripe's API. */
import type { Book, Catalog, CreditNote, Customer, Price, Product, Work } from "./book.ts";
import { emit, newId } from "./book.ts";
import { playUntil } from "./clock.ts";
import { invalid, missing } from "./failure.ts";
import { type Form, inner, record, text, texts, whole } from "./form.ts";
import { listOf } from "./wire.ts";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

export function randomName(random: (lengthBytes: number) => Uint8Array, length: number): string {
  return [...random(length)].map((byte) => alphabet[byte % alphabet.length]).join("");
}

export function newBook(suffix: string, at: number, form: Form): Book {
  const customer: Customer = {
    id: `cus_${suffix}`,
    object: "customer",
    created: at,
    currency: "usd",
    email: text(form, "email") ?? null,
    invoice_settings: { default_payment_method: null },
    livemode: false,
    metadata: record(form, "metadata"),
    name: text(form, "name") ?? null,
    test_clock: `clock_${suffix}`,
  };
  return {
    customer,
    subscriptions: [],
    schedules: [],
    invoices: [],
    sessions: [],
    plans: {},
    paymentMethods: [],
    behaviours: {},
    portals: [],
    announced: [],
    aheadSeconds: 0,
    serial: 0,
  };
}

export function updateCustomer({ book, ...work }: Work, form: Form): Customer {
  const { customer } = book;
  customer.email = text(form, "email") ?? customer.email;
  customer.name = text(form, "name") ?? customer.name;
  Object.assign(customer.metadata, record(form, "metadata"));
  const method = text(inner(form, "invoice_settings"), "default_payment_method");
  if (method !== undefined) {
    if (!book.paymentMethods.some(({ id }) => id === method)) throw missing("payment_method", method);
    customer.invoice_settings.default_payment_method = method;
  }
  emit({ book, ...work }, "customer.updated", customer);
  return customer;
}

export function listMethods({ book }: Work, form: Form) {
  return listOf(book.paymentMethods, form, `/v1/customers/${book.customer.id}/payment_methods`);
}

export function listInvoices({ book }: Work, form: Form) {
  const status = text(form, "status");
  const subscription = text(form, "subscription");
  const found = book.invoices.filter(
    (invoice) =>
      (status === undefined || invoice.status === status) &&
      (subscription === undefined || invoice.parent.subscription_details.subscription === subscription),
  );
  return listOf(found, form, "/v1/invoices");
}

export function listCreditNotes({ book }: Work, form: Form) {
  const found = (book.creditNotes ?? []).filter(({ invoice }) => invoice === text(form, "invoice"));
  return listOf(found, form, "/v1/credit_notes");
}

/** Never more goes back than was paid. */
export function createCreditNote(work: Work, form: Form): CreditNote {
  const { book } = work;
  const invoice = book.invoices.find(({ id }) => id === text(form, "invoice"));
  if (!invoice) throw missing("invoice", text(form, "invoice") ?? "");
  const amount = whole(form, "amount") ?? 0;
  const refund = whole(form, "refund_amount") ?? 0;
  const given = (book.creditNotes ?? []).filter((note) => note.invoice === invoice.id);
  const left = invoice.amount_paid - given.reduce((sum, note) => sum + note.amount, 0);
  if (invoice.status !== "paid" || amount < 1 || amount > left)
    throw invalid("amount", "The sum of credit notes is at most what was paid.");
  if (refund !== amount) throw invalid("refund_amount", "This simulator refunds the whole note.");
  const note: CreditNote = {
    id: newId(work, "cn"),
    object: "credit_note",
    amount,
    created: work.at,
    currency: "usd",
    customer: book.customer.id,
    invoice: invoice.id,
    livemode: false,
    metadata: record(form, "metadata"),
    refund_amount: refund,
    status: "issued",
  };
  book.creditNotes = [...(book.creditNotes ?? []).slice(-199), note];
  emit(work, "credit_note.created", note);
  return note;
}

/** The cards that people choose on the stand-in pages; the first characters are Stripe's own test numbers. */
export const cards = {
  visa: { label: "4242 4242 4242 4242: pays", brand: "visa", last4: "4242", behaviour: "pays" },
  declined: { label: "4000 0000 0000 0002: is declined", brand: "visa", last4: "0002", behaviour: "declined" },
  later: {
    label: "4000 0000 0000 0341: pays now and fails later",
    brand: "visa",
    last4: "0341",
    behaviour: "fails-later",
  },
} as const;

export type CardName = keyof typeof cards;

export function isCard(name: string): name is CardName {
  return Object.hasOwn(cards, name);
}

/** Makes the card the default. */
export function attachCard(work: Work, name: CardName): void {
  const { book } = work;
  const { brand, last4, behaviour } = cards[name];
  const id = newId(work, "pm");
  book.paymentMethods = [
    ...book.paymentMethods.slice(-9),
    {
      id,
      object: "payment_method",
      type: "card",
      card: {
        brand,
        last4,
        exp_month: 12,
        exp_year: new Date(work.at * 1_000).getUTCFullYear() + 3,
        funding: "credit",
      },
      created: work.at,
      customer: book.customer.id,
      livemode: false,
    },
  ];
  book.behaviours[id] = behaviour;
  book.customer.invoice_settings.default_payment_method = id;
  emit(work, "payment_method.attached", book.paymentMethods.at(-1) ?? {});
  emit(work, "customer.updated", book.customer);
}

export function createProduct(catalog: Catalog, at: number, form: Form): Product {
  const id = text(form, "id") ?? `prod_${catalog.products.length + 1}`;
  const name = text(form, "name");
  if (name === undefined) throw invalid("name", "Missing required param: name.");
  if (catalog.products.some((product) => product.id === id)) throw invalid("id", "Product already exists.");
  const product: Product = {
    id,
    object: "product",
    active: true,
    created: at,
    livemode: false,
    metadata: record(form, "metadata"),
    name,
  };
  catalog.products.push(product);
  return product;
}

export function createPrice(catalog: Catalog, at: number, form: Form): Price {
  const product = text(form, "product") ?? "";
  if (!catalog.products.some(({ id }) => id === product)) throw missing("product", product);
  const interval = text(inner(form, "recurring"), "interval");
  const amount = whole(form, "unit_amount");
  if (interval !== "month" && interval !== "year") throw invalid("recurring[interval]", "month or year.");
  if (amount === undefined || amount < 0) throw invalid("unit_amount", "A whole number of cents.");
  const lookupKey = text(form, "lookup_key") ?? null;
  const owner = catalog.prices.find((price) => lookupKey !== null && price.lookup_key === lookupKey);
  if (owner && text(form, "transfer_lookup_key") !== "true") throw invalid("lookup_key", "The key is taken.");
  if (owner) owner.lookup_key = null;
  const price: Price = {
    id: `price_${interval}_${catalog.prices.length + 1}`,
    object: "price",
    active: true,
    billing_scheme: "per_unit",
    created: at,
    currency: text(form, "currency") ?? "usd",
    livemode: false,
    lookup_key: lookupKey,
    metadata: record(form, "metadata"),
    product,
    recurring: { interval, interval_count: 1, usage_type: "licensed" },
    type: "recurring",
    unit_amount: amount,
  };
  catalog.prices.push(price);
  return price;
}

export function listPrices(catalog: Catalog, form: Form) {
  const keys = texts(form, "lookup_keys");
  const found = catalog.prices.filter(
    ({ lookup_key: key, active }) => active && (keys.length === 0 || (key !== null && keys.includes(key))),
  );
  return listOf(found, form, "/v1/prices");
}

/** Stripe's test clocks, one a customer: time goes on from where it was put, and never back. */
export function advanceClock(work: Work, realNow: number, form: Form) {
  const frozen = whole(form, "frozen_time");
  if (frozen === undefined || frozen < work.at) throw invalid("frozen_time", "A time that is not before the clock's.");
  playUntil(work, frozen);
  work.book.aheadSeconds = frozen - realNow;
  return clockOf(work.book, frozen);
}

export function clockOf(book: Book, at: number) {
  return {
    id: book.customer.test_clock,
    object: "test_helpers.test_clock",
    created: book.customer.created,
    frozen_time: at,
    livemode: false,
    status: "ready",
  };
}
