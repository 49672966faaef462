/**
 * The audit trail: a statement that goes into the same batch as the act it records, so that neither exists alone. Entries are only
 * added; nothing changes or removes one but the purge of those that were kept long enough. (A repeated failure counts up its own entry.)
 */
import { lt, sql } from "drizzle-orm";
import { BoundedMap } from "#lib/bounded-map";
import { networkOf } from "#lib/network-address";
import type { Ctx } from "./context.ts";
import { makeId } from "./ids.ts";
import { redact } from "./log.ts";
import { auditLog, type auditCategories, type severities } from "./tables.ts";
import type { Statement } from "./work.ts";

export type AuditCategory = (typeof auditCategories)[number];
export type Severity = (typeof severities)[number];
export type AuditAction = `${string}.${string}`;
type Members = Readonly<Record<string, unknown>>;

export interface AuditAbout {
  /** The id of what was acted on. */
  target?: string;
  details?: Members;
  /** The old and the new values of a change. Members that did not change are left out, secrets redacted. */
  before?: Members;
  after?: Members;
  /** Left out: what the action's first word is about. */
  category?: AuditCategory;
  /** Left out: `warning` for what failed or was reused or refused, else `info`. */
  severity?: Severity;
}

export function auditEntry(
  ctx: Ctx & { workspaceId?: string },
  action: AuditAction,
  about: AuditAbout = {},
): Statement {
  // A repeated run of an interrupted request makes the same ids: the entry of the first run stands.
  return ctx.db
    .insert(auditLog)
    .values({ id: ctx.newId("audit"), ...entryOf(ctx, action, about) })
    .onConflictDoNothing();
}

function entryOf(ctx: Ctx & { workspaceId?: string }, action: AuditAction, about: AuditAbout) {
  const { before, after } = changed(about.before, about.after);
  return {
    workspaceId: ctx.workspaceId ?? null,
    actorKind: ctx.actor.kind,
    actorId: actorId(ctx),
    action,
    target: about.target ?? null,
    category: about.category ?? categoryOf(action),
    severity: about.severity ?? severityOf(action),
    details: toText(about.details ?? {}),
    before: before && toText(before),
    after: after && toText(after),
    requestId: ctx.requestId,
    address: ctx.origin.address,
    createdAt: ctx.now(),
  };
}

function actorId(ctx: Ctx): string | null {
  if (ctx.actor.kind === "user") return ctx.actor.userId;
  return ctx.actor.kind === "api-key" ? ctx.actor.keyId : null;
}

const maxTextLength = 16_000;

function toText(value: Members): string {
  const text = JSON.stringify(redact(value));
  return text.length <= maxTextLength ? text : JSON.stringify({ tooLong: Object.keys(value).slice(0, 50) });
}

/** Of two values with the same members, those that differ; one that stands alone (made, or removed) stays whole. */
function changed(before: Members | undefined, after: Members | undefined) {
  if (!before || !after) return { before: before ?? null, after: after ?? null };
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  const pick = (from: Members) => Object.fromEntries(names.map((name) => [name, from[name] ?? null]));
  return { before: pick(before), after: pick(after) };
}

const categories: Readonly<Record<string, AuditCategory>> = {
  account: "account",
  admin: "staff",
  "api-key": "key",
  billing: "billing",
  code: "auth",
  conversion: "file",
  credits: "billing",
  "data-key": "key",
  device: "auth",
  email: "account",
  "encryption-key": "key",
  file: "file",
  identity: "auth",
  invitation: "workspace",
  invoice: "billing",
  limit: "auth",
  limits: "staff",
  mail: "system",
  member: "workspace",
  passkey: "auth",
  plan: "billing",
  profile: "account",
  "provider-key": "key",
  "second-factor": "auth",
  session: "auth",
  "sign-in": "auth",
  staff: "staff",
  "sub-user": "workspace",
  subscription: "billing",
  support: "staff",
  upload: "file",
  user: "account",
  webhook: "workspace",
  workspace: "workspace",
};

/** Signing in and out is about the account by its name, and about authentication by what it is. */
const authActions = /^account\.(?:signed|sign-in|password|locked|registered|registration)/;

function categoryOf(action: AuditAction): AuditCategory {
  if (authActions.test(action)) return "auth";
  return categories[action.split(".", 1)[0] ?? ""] ?? "system";
}

function severityOf(action: AuditAction): Severity {
  return /(?:failed|reused|refused|locked|exceeded|blocked)$/.test(action) ? "warning" : "info";
}

/** One entry stands for all that is the same in this time; it is listed at the beginning of it. */
const windowMs = 5 * 60_000;
/** Beyond this many in a window, repetitions are written by the hundred; the last ones of a flood may stay uncounted. */
const writtenSingly = 10;
const writtenEvery = 100;
/** New entries a minute of one isolate; what comes beyond them shares one entry a window. */
const maxNewEachMinute = 120;
const overflow = "overflow";

interface Repeated {
  window: number;
  seen: number;
  unwritten: number;
}

const repeated = new BoundedMap<string, Repeated>(2_000);
const budget = { minute: 0, taken: 0 };

export interface FailureAbout extends AuditAbout {
  /** Tells apart what would otherwise be the same: a reason, a limit. It is not kept. */
  by?: string;
  /** Finds the target where that costs a question: asked behind the answer, and only for what is written. */
  targetOf?: () => Promise<string | null>;
}

/**
 * Records what failed or was refused. There is no batch to go with, so it is written after the answer and may be lost; and the same failure
 * of one target from one network is one entry in five minutes, with its `repeats`: a flood does not fill the table.
 */
export function recordFailure(
  ctx: Ctx & { workspaceId?: string },
  action: AuditAction,
  about: FailureAbout = {},
): void {
  const window = Math.floor(ctx.now() / windowMs);
  const own = [action, about.by ?? "", about.target ?? "", networkOf(ctx.origin.address)].join("\n");
  const name = repeated.get(own)?.window === window || takesBudget(ctx) ? own : overflow;
  const times = countUp(name, window);
  if (times === 0) return;
  const entry = name === own ? entryOf(ctx, action, about) : overflowEntry(ctx);
  const targetOf = name === own ? about.targetOf : undefined;
  ctx.later(insertFailure(ctx, { entry, name, window, times, targetOf }));
}

function takesBudget(ctx: Ctx): boolean {
  const minute = Math.floor(ctx.now() / 60_000);
  if (budget.minute !== minute) Object.assign(budget, { minute, taken: 0 });
  budget.taken += 1;
  return budget.taken <= maxNewEachMinute;
}

/** How many are to be written now. */
function countUp(name: string, window: number): number {
  const known = repeated.get(name);
  if (known?.window !== window) {
    repeated.set(name, { window, seen: 1, unwritten: 0 });
    return 1;
  }
  known.seen += 1;
  known.unwritten += 1;
  if (known.seen > writtenSingly && known.unwritten < writtenEvery) return 0;
  const times = known.unwritten;
  known.unwritten = 0;
  return times;
}

function overflowEntry(ctx: Ctx): Entry {
  const nobody = { ...ctx, actor: { kind: "system" as const }, origin: { address: "", userAgent: "" } };
  return entryOf(nobody, "limit.failures-exceeded", { severity: "error" });
}

type Entry = ReturnType<typeof entryOf>;

async function insertFailure(
  ctx: Ctx,
  failure: {
    entry: Entry;
    name: string;
    window: number;
    times: number;
    targetOf: (() => Promise<string | null>) | undefined;
  },
): Promise<void> {
  const { entry, name, window, times, targetOf } = failure;
  const target = targetOf ? await targetOf() : entry.target;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name)));
  // The id is a function of window and name, so that all isolates count up the same entry.
  const id = makeId("audit", window * windowMs, digest);
  await ctx.db
    .insert(auditLog)
    .values({ id, ...entry, target, repeats: times })
    .onConflictDoUpdate({ target: auditLog.id, set: { repeats: sql`${auditLog.repeats} + ${times}` } });
}

/** The retention of the audit trail: the only way that an entry ever leaves it. */
export function purgeAudit(ctx: Ctx, before: number): Statement {
  return ctx.db.delete(auditLog).where(lt(auditLog.createdAt, before));
}
