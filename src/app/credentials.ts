/**
 * From a request to who asks: reads exactly one credential, checks it, and settles the one workspace that the request acts in.
 * The warm path touches memory only. A foreign workspace and an unknown one get the same answer.
 */
import { needsFreshCheck, isPermission, isStaffPermission, mayDo, staffHas, type StaffPermission } from "#core/access";
import type { Actor, Ctx, WorkspaceCtx } from "#core/context";
import type { AnyEndpoint } from "#core/endpoint";
import { personalWorkspaceId } from "#core/ids";
import { type KeyBudget, requestLimit, subUserLimits } from "#core/limits";
import type { LogLevel } from "#core/message-log";
import type { LimitOverrides, PlanName } from "#core/plans";
import { Problem } from "#core/problem";
import { isEndpointAllowed, permissionsOf, type SubUserGrant } from "#core/sub-user";
import { checkOpaqueSession, checkSession } from "#durable/session-store/client";
import { parseSessionToken } from "#durable/session-store/token";
import { knownAccessToken, verifyAccessToken } from "#features/accounts/access-token";
import { readStaff } from "#features/accounts/service";
import { checkKey, isAllowedFrom, isApiKey, type KeyCheck, knownKey, type KnownKey } from "#features/api-keys/check";
import { chargesOf, type NamedLimit, outcomeOf } from "#features/api-keys/rules";
import { countUse } from "#features/api-keys/usage";
import { noteRequest } from "#features/sub-users/check";
import { chargeApiCall } from "#features/usage/service";
import { type Membership, readMembership, rememberedMembership } from "#features/workspaces/service";

const rememberMs = 10_000;
const workspaceIdPattern = /^wks_[0-9a-z]{26}$/;

export interface SignedIn {
  actor: Exclude<Actor, { kind: "anonymous" | "system" }>;
  userId: string;
  workspaceId: string;
  plan: PlanName;
  overrides: LimitOverrides;
  subUser?: SubUserGrant;
  emailVerifiedAt: number | null;
  messageLog: LogLevel;
  /** Of the API key that asks, beside what its plan allows. */
  keyLimits?: readonly NamedLimit[];
  keyBudgets?: readonly KeyBudget[];
  keyModels?: readonly string[];
}

/** What is asked for: the operation, and the workspace when the operation's own path names it. */
export interface Asked {
  spec: Pick<AnyEndpoint, "access" | "name" | "path" | "exceptSubUsers" | "homeOnly">;
  workspaceId: string | null;
}

/** The credential of a request, or null. Two different ones are refused: which of them acts would be a guess. */
export function readCredential(headers: Headers): string | null {
  const authorization = headers.get("authorization");
  const bearer = authorization !== null && /^bearer /i.test(authorization) ? authorization.slice(7).trim() : null;
  if (authorization !== null && bearer === null) {
    throw new Problem("credentials-invalid", {
      detail: "The Authorization header is not of the form `Bearer <credential>`.",
    });
  }
  const key = headers.get("x-api-key")?.trim() ?? null;
  if (bearer !== null && key !== null && bearer !== key) throw new Problem("ambiguous-credentials");
  return bearer ?? key;
}

/** Checks the credential and returns who asks; throws a 401 or 404 problem. */
export async function signIn(ctx: Ctx, request: Request, asked: Asked): Promise<SignedIn> {
  const { access } = asked.spec;
  const credential = readCredential(request.headers);
  if (credential === null) throw new Problem("credentials-required", challenge());
  if (credential.length > 4_096) throw invalid();
  const presented = {
    text: credential,
    fresh: needsFreshCheck(access),
    workspaceId: asked.workspaceId ?? selectedWorkspace(request),
  };
  return isApiKey(credential) ? byApiKey(ctx, presented) : withStaff(ctx, await bySession(ctx, presented), asked);
}

/** The role in the product is read for operations of staff only, and anew each time. */
async function withStaff(ctx: Ctx, signedIn: SignedIn, { spec }: Asked): Promise<SignedIn> {
  if (!isStaffPermission(spec.access) || signedIn.actor.kind !== "user") return signedIn;
  const staff = await readStaff(ctx.db, signedIn.userId);
  return staff ? { ...signedIn, actor: { ...signedIn.actor, staff } } : signedIn;
}

function challenge() {
  return { headers: { "www-authenticate": "Bearer" } };
}

function invalid(): Problem {
  return new Problem("credentials-invalid", { headers: { "www-authenticate": 'Bearer error="invalid_token"' } });
}

function expired(): Problem {
  return new Problem("credentials-expired", { headers: { "www-authenticate": 'Bearer error="invalid_token"' } });
}

interface Presented {
  text: string;
  fresh: boolean;
  /** Null: the caller's own. */
  workspaceId: string | null;
}

async function byApiKey(ctx: Ctx, { text, fresh, workspaceId }: Presented): Promise<SignedIn> {
  const nowMs = ctx.now();
  let known: KnownKey | undefined = fresh ? undefined : knownKey(text, nowMs);
  if (!known || isUnverified(ctx, known.key)) {
    const check = await checkKey(ctx, text, nowMs);
    if (!check.ok) throw refused(ctx, check);
    known = check.known;
  }
  const { id, key } = known;
  if (!isAllowedFrom(known, ctx.origin.address)) {
    countUse(ctx, id, "FORBIDDEN");
    throw new Problem("address-not-allowed");
  }
  if (key.sessionId !== null && !(await isLivingSession(ctx, key.userId, { sessionId: key.sessionId, fresh })))
    throw invalid();
  if (workspaceId !== null && workspaceId !== key.workspaceId) throw new Problem("workspace-not-found");
  return {
    actor: { kind: "api-key", userId: key.userId, keyId: id, mode: key.mode, scopes: key.scopes },
    userId: key.userId,
    workspaceId: key.workspaceId,
    plan: key.plan,
    overrides: key.overrides,
    ...(key.subUser ? { subUser: key.subUser } : {}),
    emailVerifiedAt: key.emailVerifiedAt,
    messageLog: key.messageLog,
    keyLimits: key.limits,
    keyBudgets: key.budgets,
    keyModels: key.allowedModels,
  };
}

/** Whoever shows a key's own text may learn that it has ended, and its owner that it is still tried. */
function refused(ctx: Ctx, check: Exclude<KeyCheck, { ok: true }>): Problem {
  if (check.reason === "unknown") return invalid();
  countUse(ctx, check.known.id, check.reason === "expired" ? "EXPIRED" : "DISABLED");
  return check.reason === "expired" ? expired() : invalid();
}

/** Runs what lets a signed-in request in, and counts what it came to for the key that asks. */
export async function countingUse<Result>(
  ctx: Ctx,
  { actor }: SignedIn,
  letIn: () => Promise<Result>,
): Promise<Result> {
  if (actor.kind !== "api-key") return letIn();
  try {
    const result = await letIn();
    countUse(ctx, actor.keyId, "VALID");
    return result;
  } catch (error) {
    const outcome = error instanceof Problem ? outcomeOf(error.code) : null;
    if (outcome) countUse(ctx, actor.keyId, outcome);
    throw error;
  }
}

/** The key of a session ends with it. */
async function isLivingSession(
  ctx: Ctx,
  userId: string,
  { sessionId, fresh }: { sessionId: string; fresh: boolean },
): Promise<boolean> {
  const options = { nowMs: ctx.now(), maxAgeMs: fresh ? 0 : rememberMs, waitUntil: ctx.later };
  return (await checkSession(ctx.objects.SESSION_STORE, { userId, sessionId }, options)).active;
}

async function bySession(ctx: Ctx, { text, fresh, workspaceId }: Presented): Promise<SignedIn> {
  const nowMs = ctx.now();
  const maxAgeMs = fresh ? 0 : rememberMs;
  const opaque = parseSessionToken(text);
  if (opaque && opaque.kind !== "session") throw invalid();
  const subject = opaque ?? (await readAccessToken(ctx, text));
  const wanted = workspaceId ?? personalWorkspaceId(subject.userId);
  const remembered = usableMembership(ctx, rememberedMembership(subject.userId, wanted, nowMs, maxAgeMs));
  const [session, membership] = await Promise.all([
    opaque
      ? checkOpaqueSession(ctx.objects.SESSION_STORE, opaque, { nowMs, maxAgeMs, waitUntil: ctx.later })
      : checkSession(ctx.objects.SESSION_STORE, subject, { nowMs, maxAgeMs, waitUntil: ctx.later }),
    remembered !== undefined ? remembered : membershipOf(ctx, subject.userId, wanted),
  ]);
  if (!session.active) throw session.reason === "expired" ? expired() : invalid();
  if (!membership) throw new Problem("workspace-not-found");
  return actingIn(membership, subject);
}

function actingIn(membership: Membership, { userId, sessionId }: { userId: string; sessionId: string }): SignedIn {
  const { role, workspaceId, plan, overrides, subUser, emailVerifiedAt, messageLog } = membership;
  return {
    actor: { kind: "user", userId, sessionId, role, ...(subUser ? { granted: permissionsOf(subUser) } : {}) },
    userId,
    workspaceId,
    plan,
    overrides,
    emailVerifiedAt,
    messageLog,
    ...(subUser ? { subUser } : {}),
  };
}

/** Who was not verified when it was read may be by now, and then goes on at once. */
function usableMembership(ctx: Ctx, known: Membership | null | undefined): Membership | null | undefined {
  return known && isUnverified(ctx, known) ? undefined : known;
}

function isUnverified(ctx: Ctx, known: { emailVerifiedAt: number | null }): boolean {
  return ctx.settings.emailVerification.enabled && known.emailVerifiedAt === null;
}

/** Until the address is verified (where that is asked for), no API key works, none is made, and models are closed. */
export function requireVerifiedEmail(ctx: Ctx, signedIn: SignedIn, access: AnyEndpoint["access"]): void {
  if (!isUnverified(ctx, signedIn)) return;
  const isClosed = signedIn.actor.kind === "api-key" || access === "models:use" || access === "api-keys:write";
  if (isClosed) throw new Problem("email-not-verified");
}

async function membershipOf(ctx: Ctx, userId: string, workspaceId: string): Promise<Membership | null> {
  return workspaceIdPattern.test(workspaceId) ? readMembership(ctx.db, userId, workspaceId, ctx.now()) : null;
}

async function readAccessToken(ctx: Ctx, text: string): Promise<{ userId: string; sessionId: string }> {
  const known = knownAccessToken(text, ctx.now());
  if (known) return known;
  const claims = await verifyAccessToken(ctx.settings, text, ctx.now());
  if (claims === "expired") throw expired();
  if (claims === "invalid") throw invalid();
  return claims;
}

/** `X-Workspace-Id`, else `workspaceId` of the query (older clients), else null: the caller's own. */
function selectedWorkspace(request: Request): string | null {
  const header = request.headers.get("x-workspace-id");
  if (header !== null) return header;
  const { url } = request;
  const at = url.indexOf("?");
  return at !== -1 && url.includes("workspaceId=", at) ? new URL(url).searchParams.get("workspaceId") : null;
}

/** Throws a 403 problem unless the caller may do what the operation asks for; a 404 problem where that is not done in this workspace. */
export function requireAccess(signedIn: SignedIn, spec: Asked["spec"]): void {
  const { actor, subUser } = signedIn;
  const { access } = spec;
  if (access === "session" && actor.kind !== "user") throw new Problem("session-required");
  if (spec.homeOnly && !isAtHome(signedIn))
    throw new Problem("workspace-not-found", {
      detail: "This is about you alone: name no other workspace than your own.",
    });
  if (subUser) requireWithin(subUser, spec);
  if (isStaffPermission(access)) return requireStaff(actor, access);
  if (!isPermission(access)) return;
  const allowed = actor.kind === "user" ? mayDo(actor, access) : actor.scopes.includes(access);
  if (!allowed) throw new Problem("permission-denied", { members: { requiredPermission: access } });
}

/** A sub-user is in no other workspace than the one they belong to. */
function isAtHome({ userId, workspaceId, subUser }: SignedIn): boolean {
  return subUser !== undefined || workspaceId === personalWorkspaceId(userId);
}

function requireStaff(actor: SignedIn["actor"], access: StaffPermission): void {
  if (actor.kind === "user" && actor.staff && staffHas(actor.staff, access)) return;
  throw new Problem("staff-only", { members: { requiredPermission: access } });
}

/** Its own account a sub-user reaches always; all that asks for a permission has to be among its endpoints. */
function requireWithin(subUser: SubUserGrant, spec: Asked["spec"]): void {
  if (spec.exceptSubUsers)
    throw new Problem("permission-denied", { detail: "A sub-user belongs to one workspace, and to that for good." });
  if (isPermission(spec.access) && permissionsOf(subUser).includes(spec.access) && !isEndpointAllowed(subUser, spec))
    throw new Problem("endpoint-not-allowed");
}

/** The context of a signed-in request, after its own request limit was taken. */
export async function enterWorkspace(
  ctx: Ctx,
  signedIn: SignedIn,
  spec: Pick<AnyEndpoint, "limitClass" | "uncounted">,
): Promise<WorkspaceCtx> {
  const { actor, plan, overrides, subUser } = signedIn;
  const limit = requestLimit({ kind: actor.kind, plan, overrides, limitClass: spec.limitClass ?? "default" });
  const principal = actor.kind === "user" ? signedIn.userId : actor.keyId;
  const entered = Object.assign(ctx, signedIn);
  const charges = [...(limit ? [{ limit, cost: 1 }] : []), ...chargesOf(signedIn.keyLimits ?? [])];
  await ctx.takeLimits(charges, principal);
  // Whatever it comes with, sessions and keys together: else each further key would be a way around the limit.
  if (subUser) {
    const own = subUserLimits(subUser).map((each) => ({ limit: each, cost: 1 }));
    await ctx.takeLimits(own, `sub-user:${signedIn.userId}`);
    noteRequest(entered);
  }
  if (!spec.uncounted) await chargeApiCall(entered);
  return entered;
}
