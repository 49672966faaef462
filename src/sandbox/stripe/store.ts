/** Every statement about the simulated Stripe's tables. */
import { and, asc, eq, isNotNull, isNull, lt, sql } from "drizzle-orm";
import type { Statement } from "#core/work";
import type { SandboxCtx } from "../context.ts";
import type { Book, Catalog, WireEvent } from "./book.ts";
import { sandboxStripeBooks, sandboxStripeEvents, sandboxStripeReplies } from "./tables.ts";
import { messagesOf } from "#lib/error-messages";

const catalogId = "catalog";
const keptMs = 24 * 3_600_000;
/** About three days on a doubling wait is Stripe's; here a delivery is tried again whenever something else happens. */
export const maxDeliveries = 20;

interface Kept<Value> {
  value: Value;
  version: number;
}

async function read<Value>(ctx: SandboxCtx, id: string): Promise<Kept<Value> | null> {
  const [row] = await ctx.db.select().from(sandboxStripeBooks).where(eq(sandboxStripeBooks.id, id));
  return row ? { value: JSON.parse(row.data) as Value, version: row.version } : null;
}

export function readBook(ctx: SandboxCtx, customerId: string): Promise<Kept<Book> | null> {
  return read<Book>(ctx, customerId);
}

export async function readCatalog(ctx: SandboxCtx): Promise<Kept<Catalog>> {
  return (await read<Catalog>(ctx, catalogId)) ?? { value: { products: [], prices: [] }, version: 0 };
}

/** Fails the batch when the row was written since `version` was read. */
function write(ctx: SandboxCtx, id: string, { value, version }: Kept<unknown>): Statement {
  const data = JSON.stringify(value);
  if (version === 0) return ctx.db.insert(sandboxStripeBooks).values({ id, data, version: 1 });
  return ctx.db
    .update(sandboxStripeBooks)
    .set({ data, version: version + 1, fence: sql`(${sandboxStripeBooks.version} = ${version})` })
    .where(eq(sandboxStripeBooks.id, id));
}

export const writeBook = (ctx: SandboxCtx, book: Kept<Book>): Statement => write(ctx, book.value.customer.id, book);
export const writeCatalog = (ctx: SandboxCtx, catalog: Kept<Catalog>): Statement => write(ctx, catalogId, catalog);

/** Somebody else wrote first, or had the same idempotency key. */
export function isOvertaken(error: unknown): boolean {
  return messagesOf(error).some(
    (message) => /sandbox_stripe_books|sandbox_stripe_replies/.test(message) && /constraint/i.test(message),
  );
}

export async function findReply(ctx: SandboxCtx, key: string) {
  const [row] = await ctx.db.select().from(sandboxStripeReplies).where(eq(sandboxStripeReplies.key, key));
  return row ?? null;
}

export function keepReply(
  ctx: SandboxCtx,
  reply: { key: string; request: string; status: number; body: string },
): Statement {
  return ctx.db.insert(sandboxStripeReplies).values({ ...reply, createdAt: ctx.now() });
}

export function keepEvents(ctx: SandboxCtx, events: WireEvent[]): Statement[] {
  return events.map(({ id, ...event }) =>
    ctx.db.insert(sandboxStripeEvents).values({ id, body: JSON.stringify({ id, ...event }), createdAt: ctx.now() }),
  );
}

export async function waitingEvents(ctx: SandboxCtx, limit: number) {
  return ctx.db
    .select({ id: sandboxStripeEvents.id, body: sandboxStripeEvents.body })
    .from(sandboxStripeEvents)
    .where(and(isNull(sandboxStripeEvents.deliveredAt), lt(sandboxStripeEvents.attempts, maxDeliveries)))
    .orderBy(asc(sandboxStripeEvents.createdAt), asc(sandboxStripeEvents.id))
    .limit(limit);
}

export async function findEvent(ctx: SandboxCtx, id: string): Promise<WireEvent | null> {
  const [row] = await ctx.db.select().from(sandboxStripeEvents).where(eq(sandboxStripeEvents.id, id));
  return row ? (JSON.parse(row.body) as WireEvent) : null;
}

export function noteDelivery(ctx: SandboxCtx, id: string, isDelivered: boolean): Statement {
  return ctx.db
    .update(sandboxStripeEvents)
    .set({ attempts: sql`${sandboxStripeEvents.attempts} + 1`, deliveredAt: isDelivered ? ctx.now() : null })
    .where(eq(sandboxStripeEvents.id, id));
}

export function purge(ctx: SandboxCtx): Statement[] {
  const before = ctx.now() - keptMs;
  return [
    ctx.db.delete(sandboxStripeReplies).where(lt(sandboxStripeReplies.createdAt, before)),
    ctx.db
      .delete(sandboxStripeEvents)
      .where(and(isNotNull(sandboxStripeEvents.deliveredAt), lt(sandboxStripeEvents.createdAt, before))),
  ];
}
