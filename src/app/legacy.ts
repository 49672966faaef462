/** Answers the paths of older clients by the published operations, as `legacy-paths.ts` says. Holds no logic of any operation. */
import type { Bindings } from "#core/env";
import { app } from "./http.ts";
import { type Alias, aliases } from "./legacy-paths.ts";
import { answerShapes, bodyShapes } from "./legacy-shapes.ts";
import { legacyProblem } from "./legacy/problem-shape.ts";
import { isJson } from "./read-body.ts";

const maxBodyBytes = 1_048_576;

interface Compiled {
  alias: Alias;
  pattern: RegExp;
}

/** The rows by the beginning of their path, so that a request looks at few of them and a published path at none. */
const rowsByStart = new Map<string, Alias[]>();
for (const alias of aliases) {
  const start = startOf(alias.from);
  rowsByStart.set(start, [...(rowsByStart.get(start) ?? []), alias]);
}
const compiledByStart = new Map<string, Compiled[]>();

/** The first segment; below `/v1`, where nearly everything is published under its own name, the first two. */
function startOf(path: string): string {
  const [, first = "", second = ""] = path.split("/", 3);
  return first === "v1" ? `v1/${second}` : first;
}

function compiledRows(start: string): Compiled[] {
  const known = compiledByStart.get(start);
  if (known) return known;
  const compiled = (rowsByStart.get(start) ?? []).map((alias) => ({
    alias,
    pattern: new RegExp(`^${alias.from.replaceAll(/:(\w+)/g, (_, name: string) => `(?<${name}>[^/]+)`)}/?$`),
  }));
  compiledByStart.set(start, compiled);
  return compiled;
}

/** Operations that carry the paths of system B: what its clients expect of an error is said there too. */
const publishedUnderOldNames = new Set(["v1/users", "v1/email", "v1/admin", "v1/admin-panel", "v1/support"]);

/** A published path that only shares its beginning with a row keeps its own answer. */
function isOnlyOurs(path: string): boolean {
  return path.startsWith("/v1/") && !publishedUnderOldNames.has(startOf(path));
}

export function fetchWithAliases(
  request: Request,
  env: Bindings,
  execution: ExecutionContext,
): Response | Promise<Response> {
  const begin = request.url.indexOf("/", 8);
  const start = startOf(request.url.slice(begin, begin + 80).split("?", 1)[0] ?? "");
  if (publishedUnderOldNames.has(start) && !rowsByStart.has(start))
    return Promise.resolve(app.fetch(request, env, execution)).then((answer) => decorate(answer, undefined));
  if (start !== "api" && !rowsByStart.has(start)) return app.fetch(request, env, execution);
  return answerAlias(request, (inner) => Promise.resolve(app.fetch(inner, env, execution)));
}

type Dispatch = (request: Request) => Promise<Response>;

async function answerAlias(request: Request, dispatch: Dispatch): Promise<Response> {
  const url = new URL(request.url);
  const { json, body } = await peekJson(request);
  const found = findAlias(request.method, url.pathname, json);
  if (!found) {
    const answer = await dispatch(retarget(request, { url: genericTarget(url), method: request.method, body }));
    return isOnlyOurs(url.pathname) ? answer : decorate(answer, undefined);
  }
  const { alias } = found;
  const answer = await dispatch(rewritten(request, { url, json, body, ...found }));
  if (!alias.followUp || answer.status !== 200) return decorate(answer, alias);
  return decorate(await dispatch(await followUp(request, url, { alias, answer })), undefined);
}

interface Matched {
  url: URL;
  json: Json | null;
  body: Body;
  alias: Alias;
  params: Record<string, string>;
}

/** The request of the operation that the row names. */
function rewritten(request: Request, { url, json, body, alias, params }: Matched): Request {
  const inner = retarget(request, {
    url: targetOf(alias.to, url, alias.paramsFromBody ? { ...textMembers(json), ...params } : params),
    method: alias.toMethod ?? request.method,
    body: mapBody(alias, alias.bodyFromQuery ? { ...Object.fromEntries(url.searchParams), ...json } : json) ?? body,
  });
  if (alias.bodyFromQuery) inner.headers.set("content-type", "application/json");
  for (const [name, value] of Object.entries(alias.headers ?? {})) inner.headers.set(name, value);
  return inner;
}

type Bytes = Uint8Array<ArrayBuffer>;
type Body = ReadableStream<Bytes> | Bytes | string | null;

/**
 * The value of a JSON object that a row may have to look into, and the body to hand on, byte for byte. Forms, files and bodies above
 * 1 MiB stay a stream: who asks is not known here, so nobody may fill the memory.
 */
async function peekJson(request: Request): Promise<{ json: Json | null; body: Body }> {
  if (!request.body || !isJson(request.headers.get("content-type"))) return { json: null, body: request.body };
  const reader = (request.body as ReadableStream<Bytes>).getReader();
  const chunks: Bytes[] = [];
  for (let sizeBytes = 0; sizeBytes <= maxBodyBytes; sizeBytes += chunks.at(-1)?.byteLength ?? 0) {
    const { done, value } = await reader.read();
    if (done) return { json: parseObject(Buffer.concat(chunks).toString()), body: Buffer.concat(chunks) };
    chunks.push(value);
  }
  return { json: null, body: goingOn(chunks, reader) };
}

/** What was read already, then the rest as it comes. */
function goingOn(chunks: Bytes[], reader: ReadableStreamDefaultReader<Bytes>): ReadableStream<Bytes> {
  return new ReadableStream({
    async pull(controller) {
      const read = chunks.shift();
      if (read) return controller.enqueue(read);
      const { done, value } = await reader.read();
      return done ? controller.close() : controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

type Json = Record<string, unknown>;

function findAlias(
  method: string,
  path: string,
  json: Json | null,
): { alias: Alias; params: Record<string, string> } | null {
  for (const { alias, pattern } of compiledRows(startOf(path))) {
    const match = alias.method === method ? pattern.exec(path) : null;
    if (match && (alias.when === undefined || (json !== null && alias.when in json)))
      return { alias, params: { ...match.groups } };
  }
  return null;
}

function parseObject(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null;
  } catch {
    return null;
  }
}

/** The members that can be a segment of a path, made one each. */
function textMembers(json: Json | null): Record<string, string> {
  const texts = Object.entries(json ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(texts.map(([name, text]) => [name, encodeURIComponent(text.slice(0, 500))]));
}

/** null: the body goes on as it is; of one that is not an object the operation itself says what is wrong with it. */
function mapBody(alias: Alias, json: Json | null): string | null {
  return alias.body && json ? JSON.stringify(bodyShapes[alias.body](json)) : null;
}

function genericTarget(url: URL): URL {
  const target = new URL(url);
  target.pathname = url.pathname.replace(/^\/api(?:\/v1)?\//, "/v1/");
  return target;
}

/** A segment of the path stays one segment, and one value where the row puts it into the query. */
function targetOf(to: string, from: URL, params: Record<string, string>): URL {
  const [path = "", query = ""] = to.split("?");
  const target = new URL(
    path.replaceAll(/:(\w+)/g, (_, name: string) => params[name] ?? "-"),
    from.origin,
  );
  for (const [name, value] of new URLSearchParams(query)) {
    const given = value.startsWith(":") ? params[value.slice(1)] : value;
    if (given !== undefined) target.searchParams.append(name, value.startsWith(":") ? decoded(given) : given);
  }
  for (const [name, value] of from.searchParams)
    if (!target.searchParams.has(name)) target.searchParams.append(name, value);
  return target;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function retarget(request: Request, target: { url: URL; method: string; body: Body }): Request {
  const headers = new Headers(request.headers);
  if (typeof target.body === "string") headers.delete("content-length");
  const hasBody = target.method !== "GET" && target.method !== "HEAD";
  return new Request(target.url, {
    method: target.method,
    headers,
    body: hasBody ? target.body : null,
    signal: request.signal,
  });
}

async function followUp(request: Request, url: URL, first: { alias: Alias; answer: Response }): Promise<Request> {
  const answer = (await first.answer.json()) as Json;
  const conversion = (answer["conversion"] ?? {}) as Json;
  const path = (first.alias.followUp ?? "").replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(answer[name] ?? conversion[name])),
  );
  const target = new URL(path, url.origin);
  const workspaceId = url.searchParams.get("workspaceId");
  if (workspaceId !== null) target.searchParams.set("workspaceId", workspaceId);
  const headers = new Headers();
  for (const name of ["authorization", "x-api-key", "x-workspace-id", "x-request-id", "origin"]) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return new Request(target, { headers });
}

/** What is no JSON (a report as CSV) has nothing to rename; an answer without a body has no type. */
function hasMembers(type: string): boolean {
  return type === "" || type.includes("json");
}

async function decorate(response: Response, alias: Alias | undefined): Promise<Response> {
  const type = response.headers.get("content-type") ?? "";
  const isProblem = type.includes("problem+json");
  const answer = hasMembers(type) ? alias?.answer : undefined;
  if (!isProblem && !answer) return response;
  const text = await response.text();
  const value = text === "" ? {} : (JSON.parse(text) as Json);
  const at = { status: response.status, nowMs: Date.now() };
  const body = isProblem ? legacyProblem(value, at.nowMs) : answer ? answerShapes[answer](value, at) : value;
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  headers.set("content-type", isProblem ? "application/problem+json" : "application/json");
  return new Response(JSON.stringify(body), { status: response.status === 204 ? 200 : response.status, headers });
}
