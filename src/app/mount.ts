/**
 * Puts an endpoint on the router. The order is fixed: credential, workspace, access, limit, idempotency, shapes, handler.
 * A stranger is refused before anything of the body is looked at.
 */
import type { Context, Hono } from "hono";
import { type Access, needsFreshCheck } from "#core/access";
import type { AnyEndpoint } from "#core/endpoint";
import { Reply } from "#core/endpoint";
import type { Bindings } from "#core/env";
import { isOpenForm } from "#core/open-forms";
import { Problem } from "#core/problem";
import type { Shape } from "#core/shape";
import { countingUse, enterWorkspace, requireAccess, requireVerifiedEmail, signIn } from "./credentials.ts";
import type { AppCtx } from "./app-context.ts";
import { makeContext } from "./context.ts";
import type { Answer, RawInput } from "./exchange.ts";
import { requireHuman, withoutToken } from "./human.ts";
import { withIdempotency } from "./idempotency.ts";
import { rateLimitHeaders } from "./rate-limits.ts";
import { readBody } from "./read-body.ts";
import { takeSlot, whenRead } from "./slots.ts";

export type App = Hono<{ Bindings: Bindings; Variables: { ctx: AppCtx } }>;
type HttpContext = Context<{ Bindings: Bindings; Variables: { ctx: AppCtx } }>;

export function mount(app: App, spec: AnyEndpoint): void {
  const path = spec.path.replaceAll(/\{([^}:]+)(?::([^}]+))?\}/g, (_, name: string, pattern?: string) =>
    pattern ? `:${name}{${pattern}}` : `:${name}`,
  );
  app.on(spec.method.toUpperCase(), path, (http) => answer(http, spec));
}

async function answer(http: HttpContext, spec: AnyEndpoint): Promise<Response> {
  const ctx = contextOf(http, spec.access);
  ctx.errors = spec.errors ?? null;
  const request = http.req.raw;
  if (spec.access === "public") {
    if (spec.limit) await ctx.takeOpenLimit(spec.limit);
  } else {
    const signedIn = await signIn(ctx, request, { spec, workspaceId: namedWorkspace(http, spec) });
    await countingUse(ctx, signedIn, async () => {
      requireAccess(signedIn, spec);
      requireVerifiedEmail(ctx, signedIn, spec.access);
      await enterWorkspace(ctx, signedIn, spec);
    });
  }
  const leave = await takeSlot(ctx);
  if (!leave) return respond(http, ctx, spec);
  try {
    return whenRead(await respond(http, ctx, spec), leave);
  } catch (error) {
    leave();
    throw error;
  }
}

async function respond(http: HttpContext, ctx: AppCtx, spec: AnyEndpoint): Promise<Response> {
  const request = http.req.raw;
  if (spec.kind === "raw") {
    const response = (await spec.handle(ctx as never, (await readInput(http, spec)) as never)) as Response;
    return withHeaders(response, ctx);
  }
  const input = await readInput(http, spec);
  if (isOpenForm(spec.name)) await requireHuman(ctx, input);
  const run = () => handleJson(ctx, spec, input);
  const { status, body, headers } = spec.idempotent
    ? await withIdempotency(ctx, { spec, request, input }, run)
    : await run();
  return toResponse({ status, body, headers: { ...headers, ...commonHeaders(ctx) } });
}

/** `current` in a path stands for the workspace that the request would act in if the path named none. */
function namedWorkspace(http: HttpContext, spec: AnyEndpoint): string | null {
  if (spec.workspaceParam === undefined) return null;
  const named = http.req.param(spec.workspaceParam) ?? "";
  return named === "current" ? null : named;
}

function contextOf(http: HttpContext, access: Access): AppCtx {
  const { req, env, executionCtx } = http;
  const ctx = makeContext(env, executionCtx, {
    origin: {
      address: req.header("cf-connecting-ip") ?? "local",
      userAgent: (req.header("user-agent") ?? "").slice(0, 300),
    },
    requestId: clientRequestId(req.header("x-request-id")),
    consistency: consistencyOf(req, access),
  });
  http.set("ctx", ctx);
  return ctx;
}

/** A replica may lag: whoever changes something, or manages keys, is not judged by what was true a moment ago. */
function consistencyOf(req: HttpContext["req"], access: Access): string {
  const reads = req.method === "GET" || req.method === "HEAD";
  if (!reads || needsFreshCheck(access)) return "first-primary";
  const bookmark = req.header("x-d1-bookmark");
  return bookmark && /^[\w-]{1,200}$/.test(bookmark) ? bookmark : "first-unconstrained";
}

/** A client may name its request; anything that could forge a log line is replaced. */
function clientRequestId(given: string | undefined): string | undefined {
  return given !== undefined && /^[\w.:-]{8,100}$/.test(given) ? given : undefined;
}

async function readInput(http: HttpContext, spec: AnyEndpoint): Promise<RawInput> {
  const request = http.req.raw;
  const params = spec.params ? parsePart(spec.params, http.req.param(), "params") : undefined;
  const query = spec.query ? parsePart(spec.query, http.req.query(), "query") : undefined;
  if (!spec.body) return { params, query, body: undefined, bodyText: "", request };
  const { text, value } = await readBody(request, {
    acceptsForm: spec.acceptsForm === true,
    optional: spec.bodyOptional === true,
    bytesMax: spec.bodyBytesMax,
  });
  return {
    params,
    query,
    body: parsePart(spec.body, isOpenForm(spec.name) ? withoutToken(value) : value, "body"),
    bodyText: text,
    request,
  };
}

function parsePart(shape: Shape, value: unknown, part: string): unknown {
  const result = shape().safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues
    .slice(0, 20)
    .map((issue) => ({ in: part, path: issue.path.join("."), message: issue.message, code: issue.code }));
  const [first] = errors;
  throw new Problem("validation-failed", {
    detail: first ? `${first.path || part}: ${first.message}` : "The request is not valid.",
    members: { errors },
  });
}

async function handleJson(ctx: AppCtx, spec: AnyEndpoint, input: RawInput): Promise<Answer> {
  const result = await spec.handle(ctx as never, input as never);
  const status = spec.status ?? (spec.returns ? 200 : 204);
  const reply = result instanceof Reply ? result : new Reply(result);
  if (ctx.settings.checkResponses && spec.returns) spec.returns().parse(reply.body);
  return { status: reply.status ?? status, body: reply.body, headers: reply.headers };
}

function toResponse({ status, body, headers }: Answer): Response {
  if (status === 204 || body === undefined) return new Response(null, { status, headers });
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}

/** The headers of every answer, problems included. */
export function commonHeaders(ctx: AppCtx): Record<string, string> {
  const bookmark = ctx.session.getBookmark();
  return {
    "x-request-id": ctx.requestId,
    ...(bookmark ? { "x-d1-bookmark": bookmark } : {}),
    ...rateLimitHeaders(ctx.rateLimit, ctx.now()),
  };
}

/** What came from a binding or from outside has headers that cannot be changed, and is copied. */
function withHeaders(response: Response, ctx: AppCtx): Response {
  const headers = Object.entries(commonHeaders(ctx));
  try {
    for (const [name, value] of headers) response.headers.set(name, value);
    return response;
  } catch {
    const copy = new Response(response.body, response);
    for (const [name, value] of headers) copy.headers.set(name, value);
    return copy;
  }
}
