/**
 * Runs one act on the simulated Stripe: reads the customer's book, brings it up to its own clock, lets the act change it, and writes book,
 * events and kept answer at once. An act that lost a race runs again on the newer book.
 */
import { sandboxBase } from "#core/sandbox-secrets";
import type { Statement } from "#core/work";
import type { SandboxCtx } from "../context.ts";
import { type Book, type Catalog, emit, type Work } from "./book.ts";
import { playUntil } from "./clock.ts";
import { deliverWaiting } from "./deliver.ts";
import { missing, StripeFailure } from "./failure.ts";
import { isOvertaken, keepEvents, keepReply, purge, readBook, readCatalog, writeBook, writeCatalog } from "./store.ts";

const maxTries = 12;
const daySeconds = 86_400;

/** Where an answer is kept for its idempotency key. */
export interface KeepAs {
  key: string;
  request: string;
}

export const nowSeconds = (ctx: SandboxCtx) => Math.floor(ctx.now() / 1_000);

export async function onBook<Answer>(
  ctx: SandboxCtx,
  customerId: string,
  { keepAs, act }: { keepAs?: KeepAs | undefined; act(work: Work): Answer },
): Promise<Answer> {
  for (let attempt = 0; attempt < maxTries; attempt += 1) {
    const kept = await readBook(ctx, customerId);
    if (!kept) throw missing("customer", customerId);
    const catalog = (await readCatalog(ctx)).value;
    const work = workOn(ctx, kept.value, catalog);
    const was = JSON.stringify(kept.value);
    playUntil(work, nowSeconds(ctx) + kept.value.aheadSeconds);
    expireSessions(work, nowSeconds(ctx));
    const answer = act(work);
    const isSame = JSON.stringify(work.book) === was;
    const statements = isSame ? [] : [writeBook(ctx, { value: bounded(work.book), version: kept.version })];
    if (await commit(ctx, [...statements, ...keepEvents(ctx, work.events)], { keepAs, answer })) return answer;
  }
  throw new StripeFailure(409, "invalid_request_error", { code: "lock_timeout", message: "Somebody else changes it." });
}

export async function onNewBook<Answer>(
  ctx: SandboxCtx,
  book: Book,
  { keepAs, act }: { keepAs?: KeepAs | undefined; act(work: Work): Answer },
): Promise<Answer> {
  const work = workOn(ctx, book, { products: [], prices: [] });
  const answer = act(work);
  const statements = [writeBook(ctx, { value: book, version: 0 }), ...keepEvents(ctx, work.events), ...purge(ctx)];
  if (await commit(ctx, statements, { keepAs, answer })) return answer;
  throw new StripeFailure(409, "invalid_request_error", { code: "lock_timeout", message: "Somebody else makes it." });
}

export async function onCatalog<Answer>(
  ctx: SandboxCtx,
  { keepAs, act }: { keepAs?: KeepAs | undefined; act(catalog: Catalog): Answer },
): Promise<Answer> {
  for (let attempt = 0; attempt < maxTries; attempt += 1) {
    const kept = await readCatalog(ctx);
    const answer = act(kept.value);
    if (await commit(ctx, [writeCatalog(ctx, kept)], { keepAs, answer })) return answer;
  }
  throw new StripeFailure(409, "invalid_request_error", { code: "lock_timeout", message: "Somebody else changes it." });
}

/** Pages end by the real clock, whatever the customer's own says: nobody can pay on one afterwards. */
function expireSessions(work: Work, realNow: number): void {
  for (const session of work.book.sessions) {
    if (session.status !== "open" || session.expires_at > realNow) continue;
    Object.assign(session, { status: "expired", url: null });
    emit(work, "checkout.session.expired", session);
  }
}

function workOn(ctx: SandboxCtx, book: Book, catalog: Catalog): Work {
  const at = nowSeconds(ctx) + book.aheadSeconds;
  // Time is played from the last thing that happened: what is due in between happens at its own time.
  return {
    book,
    catalog,
    at: Math.min(at, lastMoment(book) ?? at),
    baseUrl: sandboxBase(ctx.settings, "stripe"),
    events: [],
  };
}

function lastMoment(book: Book): number | null {
  const starts = book.subscriptions.map(({ items }) => items.data[0].current_period_start);
  return starts.length === 0 ? null : Math.max(...starts);
}

/** A row holds at most 2 MB: what ended long ago is forgotten. */
function bounded(book: Book): Book {
  const at = book.sessions.at(-1)?.created ?? 0;
  return {
    ...book,
    sessions: book.sessions.slice(-20),
    portals: book.portals.filter(({ created }) => created > at - 30 * daySeconds).slice(-20),
    invoices: book.invoices.slice(-200),
    schedules: book.schedules.slice(-50),
    subscriptions: book.subscriptions.slice(-50),
  };
}

/** False when another act was first. */
async function commit(
  ctx: SandboxCtx,
  statements: Statement[],
  { keepAs, answer }: { keepAs: KeepAs | undefined; answer: unknown },
): Promise<boolean> {
  const reply = keepAs ? [keepReply(ctx, { ...keepAs, status: 200, body: JSON.stringify(answer) })] : [];
  const [first, ...rest] = [...statements, ...reply];
  if (!first) return true;
  try {
    await ctx.db.batch([first, ...rest]);
  } catch (error) {
    if (isOvertaken(error)) return false;
    throw error;
  }
  ctx.later(deliverWaiting(ctx));
  return true;
}
