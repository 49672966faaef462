/** The HTTP side: cross-origin rules, mounted endpoints, documents, and the one place where an error becomes an answer. */
import { type Context, Hono } from "hono";
import { TrieRouter } from "hono/router/trie-router";
import { type Bindings, EnvironmentError, readSettings } from "#core/env";
import { makeId } from "#core/ids";
import { platformLog } from "#core/log";
import { companionErrorResponse, openAiErrorResponse, Problem, problemResponse } from "#core/problem";
import type { AppCtx } from "./app-context.ts";
import { makeContext } from "./context.ts";
import { corsHeaders } from "./cors.ts";
import { features } from "./features.ts";
import { type App, commonHeaders, mount } from "./mount.ts";
import { answerFromSandbox, registerDispatch } from "./sandbox.ts";
import { referencePage, referenceScript } from "./reference.ts";
import { messagesOf } from "#lib/error-messages";

const documents: Record<string, (publicUrl: string) => Response> = {
  "/": (publicUrl) =>
    Response.json({
      name: "Overtone",
      openapi: `${publicUrl}/openapi.json`,
      reference: `${publicUrl}/reference`,
      status: `${publicUrl}/v1/status`,
    }),
  "/reference": () => referencePage(),
  "/reference/init.js": () => referenceScript(),
};

/** Made when the project is built, served as they are. */
const files = ["/openapi.json", "/reference/scalar.js"];

export const app = buildApp();
registerDispatch((request, env, execution) => app.fetch(request, env, execution as ExecutionContext));

function buildApp(): App {
  // The default router makes one regular expression of all routes before the first answer. This one matches as fast without it.
  const app: App = new Hono({ strict: false, router: new TrieRouter() });
  app.use("*", async (http, next) => {
    const cors = corsHeaders(http.req.raw, readSettings(http.env).allowedOrigins);
    if (http.req.method === "OPTIONS") return new Response(null, { status: 204, headers: cors });
    await next();
    for (const [name, value] of Object.entries(cors)) http.res.headers.set(name, value);
    http.res.headers.set("x-content-type-options", "nosniff");
    return undefined;
  });
  for (const [path, document] of Object.entries(documents))
    app.get(path, (http) => document(readSettings(http.env).publicUrl));
  for (const path of files) {
    app.get(path, async (http) => {
      const file = await http.env.ASSETS?.fetch(new URL(path, http.req.url));
      // The answer of a binding has fixed headers; a copy takes ours.
      return file ? new Response(file.body, file) : http.notFound();
    });
  }
  app.all("/__sandbox/*", (http) => sandbox(http));
  for (const feature of features) for (const spec of feature.endpoints) mount(app, spec);
  app.notFound((http) =>
    problemResponse(unrouted(http.req.method, http.req.path), http.get("ctx")?.requestId ?? newRequestId()),
  );
  app.onError((error, http) => answerError(error, http.get("ctx")));
  return app;
}

/** Simulators of outside companies, for trying things out; they are not there where they are switched off. */
async function sandbox(http: Context<{ Bindings: Bindings; Variables: { ctx: AppCtx } }>): Promise<Response> {
  if (!readSettings(http.env).sandbox) return http.notFound();
  const ctx = makeContext(http.env, http.executionCtx);
  http.set("ctx", ctx);
  return answerFromSandbox(ctx, http.req.raw);
}

function newRequestId(): string {
  return makeId("request", Date.now(), crypto.getRandomValues(new Uint8Array(16)));
}

const shapedErrors = {
  problem: problemResponse,
  openai: openAiErrorResponse,
  companion: companionErrorResponse,
} as const;

function answerError(error: Error, ctx: AppCtx | undefined): Response {
  const requestId = ctx?.requestId ?? newRequestId();
  if (!(error instanceof Problem)) {
    // Without a context (the environment is wrong) there is no logger yet.
    const log = ctx?.log ?? platformLog({ requestId });
    log("error", "request.failed", { error });
  }
  const response = shapedErrors[ctx?.errors ?? "problem"](toProblem(error), requestId);
  if (ctx) for (const [name, value] of Object.entries(commonHeaders(ctx))) response.headers.set(name, value);
  return response;
}

function toProblem(error: Error): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof EnvironmentError)
    return new Problem("unavailable", { detail: "The server is not configured.", headers: { "retry-after": "60" } });
  if (isOverload(error)) return new Problem("unavailable", { headers: { "retry-after": "5" } });
  return new Problem("internal");
}

/** The ORM wraps what the database said, so the causes are asked, too. */
function isOverload(error: Error): boolean {
  return messagesOf(error).some((message) => /D1 DB is overloaded|Durable Object is overloaded/i.test(message));
}

/** A path that exists with other methods answers 405 and names them. */
function unrouted(method: string, path: string): Problem {
  const methods = features
    .flatMap((feature) => feature.endpoints)
    .filter((spec) => samePath(spec.path, path))
    .map((spec) => spec.method.toUpperCase());
  if (methods.length === 0)
    return new Problem("route-not-found", { detail: `${method} ${path.slice(0, 200)} is not published.` });
  const allow = [...new Set(methods)].join(", ");
  return new Problem("method-not-allowed", { detail: `${path.slice(0, 200)} takes ${allow}.`, headers: { allow } });
}

function samePath(template: string, path: string): boolean {
  const wanted = template.split("/");
  const given = path.replace(/\/$/, "").split("/");
  return (
    wanted.length === given.length &&
    wanted.every((segment, index) => segment.startsWith("{") || segment === given[index])
  );
}
