/** Answers the paths of older clients by the published operations, as `legacy-paths.ts` says. Holds no logic of any operation. */
import type { Bindings } from "#core/env";
import { app } from "./http.ts";
import { type Alias, aliases } from "./legacy-paths.ts";
import { answerShapes, bodyShapes, legacyProblem } from "./legacy-shapes.ts";

const maxBodyBytes = 1_048_576;

interface Compiled {
  alias: Alias;
  pattern: RegExp;
}

const compiled: Compiled[] = aliases.map((alias) => ({
  alias,
  pattern: new RegExp(`^${alias.from.replaceAll(/:(\w+)/g, (_, name: string) => `(?<${name}>[^/]+)`)}/?$`),
}));

export function fetchWithAliases(request: Request, env: Bindings, execution: ExecutionContext): Response | Promise<Response> {
  const start = request.url.indexOf("/", 8);
  // Everything that is published lives outside /api, so the hot path pays one comparison.
  if (!request.url.startsWith("/api/", start)) return app.fetch(request, env, execution);
  return answerAlias(request, (inner) => Promise.resolve(app.fetch(inner, env, execution)));
}

type Dispatch = (request: Request) => Promise<Response>;

async function answerAlias(request: Request, dispatch: Dispatch): Promise<Response> {
  const url = new URL(request.url);
  const body = await bufferJson(request);
  const found = findAlias(request.method, url.pathname, body);
  if (!found) return decorate(await dispatch(retarget(request, { url: genericTarget(url), method: request.method, body })), undefined);
  const { alias, params } = found;
  const inner = retarget(request, { url: targetOf(alias.to, url, params), method: alias.toMethod ?? request.method, body: mapBody(alias, body) });
  for (const [name, value] of Object.entries(alias.headers ?? {})) inner.headers.set(name, value);
  const answer = await dispatch(inner);
  if (!alias.followUp || answer.status !== 200) return decorate(answer, alias);
  return decorate(await dispatch(await followUp(request, url, { alias, answer })), undefined);
}

/** The JSON text of a body that a row may have to look into; forms and files stay a stream. */
async function bufferJson(request: Request): Promise<string | null> {
  const isJson = (request.headers.get("content-type") ?? "").includes("json");
  if (!request.body || !isJson || Number(request.headers.get("content-length") ?? 0) > maxBodyBytes) return null;
  return request.text();
}

function findAlias(method: string, path: string, body: string | null): { alias: Alias; params: Record<string, string> } | null {
  for (const { alias, pattern } of compiled) {
    const match = alias.method === method ? pattern.exec(path) : null;
    if (match && (alias.when === undefined || hasMember(body, alias.when))) return { alias, params: { ...match.groups } };
  }
  return null;
}

function hasMember(body: string | null, name: string): boolean {
  const value = parseObject(body);
  return value !== null && name in value;
}

function parseObject(body: string | null): Record<string, unknown> | null {
  if (body === null) return null;
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** A body that is not an object goes on as it is: the operation itself says what is wrong with it. */
function mapBody(alias: Alias, body: string | null): string | null {
  const value = alias.body ? parseObject(body) : null;
  return alias.body && value ? JSON.stringify(bodyShapes[alias.body](value)) : body;
}

function genericTarget(url: URL): URL {
  const target = new URL(url);
  target.pathname = url.pathname.replace(/^\/api(?:\/v1)?\//, "/v1/");
  return target;
}

function targetOf(to: string, from: URL, params: Record<string, string>): URL {
  const target = new URL(to.replaceAll(/:(\w+)/g, (_, name: string) => params[name] ?? ""), from.origin);
  for (const [name, value] of from.searchParams) if (!target.searchParams.has(name)) target.searchParams.append(name, value);
  return target;
}

function retarget(request: Request, target: { url: URL; method: string; body: string | null }): Request {
  const headers = new Headers(request.headers);
  if (target.body !== null) headers.delete("content-length");
  const hasBody = target.method !== "GET" && target.method !== "HEAD";
  return new Request(target.url, { method: target.method, headers, body: hasBody ? (target.body ?? request.body) : null, signal: request.signal });
}

async function followUp(request: Request, url: URL, first: { alias: Alias; answer: Response }): Promise<Request> {
  const answer = (await first.answer.json()) as Record<string, unknown>;
  const conversion = (answer["conversion"] ?? {}) as Record<string, unknown>;
  const path = (first.alias.followUp ?? "").replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(answer[name] ?? conversion[name])));
  const headers = new Headers();
  for (const name of ["authorization", "x-api-key", "x-workspace-id", "x-request-id"]) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return new Request(new URL(path, url.origin), { headers });
}

async function decorate(response: Response, alias: Alias | undefined): Promise<Response> {
  const isProblem = (response.headers.get("content-type") ?? "").includes("problem+json");
  if (!isProblem && !alias?.answer) return response;
  const text = await response.text();
  const value = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
  const at = { status: response.status, nowMs: Date.now() };
  const body = isProblem ? legacyProblem(value, at.nowMs) : alias?.answer ? answerShapes[alias.answer](value, at) : value;
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  headers.set("content-type", isProblem ? "application/problem+json" : "application/json");
  return new Response(JSON.stringify(body), { status: response.status === 204 ? 200 : response.status, headers });
}
