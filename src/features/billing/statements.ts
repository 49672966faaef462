/** Invoices and payment methods, read from the payment company each time: nothing of a card is kept here. */
import type { Invoice } from "#adapters/payments/contract";
import type { WorkspaceCtx } from "#core/context";
import { type PageQuery, readCursor } from "#core/page";
import { Problem } from "#core/problem";
import { encodeCursor } from "#lib/cursor";
import { accountOf, requirePayments } from "./service.ts";

const iso = (at: number) => new Date(at).toISOString();

export async function listInvoices(ctx: WorkspaceCtx, query: PageQuery) {
  const payments = requirePayments(ctx);
  const after = readCursor(query);
  if (after !== null && !/^[A-Za-z0-9_]{1,255}$/.test(after)) throw new Problem("invalid-cursor");
  const account = await accountOf(ctx);
  if (!account) return { items: [], nextCursor: null };
  const { items, hasMore } = await payments.invoicesOf(account.customerId, { limit: query.limit, after });
  const last = items.at(-1);
  return { items: items.map(toInvoice), nextCursor: hasMore && last ? encodeCursor([last.id]) : null };
}

function toInvoice(invoice: Invoice) {
  return {
    id: invoice.id,
    number: invoice.number,
    status: invoice.status,
    amountDueMicroUsd: invoice.amountDueMicroUsd,
    amountPaidMicroUsd: invoice.amountPaidMicroUsd,
    currency: invoice.currency,
    periodStartsAt: iso(invoice.periodStartsAt),
    periodEndsAt: iso(invoice.periodEndsAt),
    createdAt: iso(invoice.createdAt),
    paidAt: invoice.paidAt === null ? null : iso(invoice.paidAt),
    hostedUrl: invoice.hostedUrl,
    pdfUrl: invoice.pdfUrl,
  };
}

export async function listPaymentMethods(ctx: WorkspaceCtx) {
  const payments = requirePayments(ctx);
  const account = await accountOf(ctx);
  return { items: account ? await payments.paymentMethodsOf(account.customerId) : [] };
}
