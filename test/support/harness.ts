/** Drives the Worker as its clients do: requests go to its `fetch` in this very isolate, against real bindings. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { AppCtx } from "#app/app-context";
import { makeContext } from "#app/context";
import type { Bindings } from "#core/env";
import { personalWorkspaceId } from "#core/ids";
import { hashPassword } from "#durable/hasher/client";
import { hasherChoice } from "#features/accounts/hashing";
import { newUserRow } from "#features/accounts/rules";
import { startSession } from "#features/accounts/sign-in";
import { insertUser } from "#features/accounts/store";
import { insertPersonalWorkspace } from "#features/workspaces/service";
import worker from "../../src/index.ts";

export const bindings = env as unknown as Bindings;

export interface CallOptions {
  /** A credential for the Authorization header. */
  as?: string;
  /** Sent as JSON unless it is a string, bytes, a stream or a form. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Other bindings than the usual ones, for tests that count or break calls. */
  env?: Bindings;
}

export interface Called {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  body: any;
  bytes: Uint8Array<ArrayBuffer>;
}

function encodeBody(body: unknown): { body: BodyInit | null; type: string | null } {
  if (body === undefined) return { body: null, type: null };
  const raw =
    typeof body === "string" ||
    body instanceof Uint8Array ||
    body instanceof ReadableStream ||
    body instanceof FormData;
  if (raw) return { body: body as BodyInit, type: null };
  return { body: JSON.stringify(body), type: "application/json" };
}

/** An address for each test file: sign-ins are limited by address, and the files that share a workerd would use up each other's. */
function addressOfFile(): string {
  let hash = 0;
  for (const char of expect.getState().testPath ?? "") hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return `198.18.${(hash >>> 8) & 255}.${hash & 255}`;
}

/** Calls the Worker and waits for what it does after the answer. */
export async function call(method: string, path: string, options: CallOptions = {}): Promise<Called> {
  const { body, type } = encodeBody(options.body);
  const headers = new Headers(options.headers);
  if (type && !headers.has("content-type")) headers.set("content-type", type);
  if (!headers.has("cf-connecting-ip")) headers.set("cf-connecting-ip", addressOfFile());
  if (options.as) headers.set("authorization", `Bearer ${options.as}`);
  const execution = createExecutionContext();
  const request = new Request(`http://127.0.0.1:8787${path}`, { method: method.toUpperCase(), headers, body });
  const response = await worker.fetch(request as never, options.env ?? bindings, execution);
  const bytes = new Uint8Array(await response.arrayBuffer());
  await waitOnExecutionContext(execution);
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(new TextDecoder().decode(bytes)) : null,
    bytes,
  };
}

export interface Person {
  email: string;
  password: string;
  userId: string;
  workspaceId: string;
  token: string;
  refreshToken: string;
  call(method: string, path: string, options?: CallOptions): Promise<Called>;
}

let people = 0;

/** One password for all, hashed once: the hashes of some hundred people would take a fifth of the time of all tests. */
const password = `correct horse ${crypto.randomUUID()}`;
let passwordPhc: Promise<string> | undefined;

async function hashOnce(ctx: AppCtx): Promise<string> {
  const outcome = await hashPassword(ctx.objects.HASHER, password, hasherChoice(ctx));
  if (!outcome.ok) throw new Error(`hash: ${outcome.reason}`);
  return outcome.phc;
}

/** A new person with a personal workspace, signed in. Nothing is reset between tests: each makes its own. */
export async function signUp(): Promise<Person> {
  people += 1;
  const email = `person-${people}-${crypto.randomUUID()}@example.com`;
  const ctx = systemContext();
  const userId = ctx.newId("user");
  const workspaceId = personalWorkspaceId(userId);
  const createdAt = ctx.now();
  const user = newUserRow({
    id: userId,
    email,
    username: null,
    name: `Person ${people}`,
    passwordPhc: await (passwordPhc ??= hashOnce(ctx)),
    at: createdAt,
  });
  const workspace = { id: workspaceId, name: `Person ${people}'s workspace`, userId, createdAt };
  await ctx.db.batch([insertUser(ctx.db, user), ...insertPersonalWorkspace(ctx.db, workspace)]);
  const { access_token: token = "", refresh_token: refreshToken = "" } = await startSession(
    ctx,
    userId,
    "access-token",
  );
  return {
    email,
    password,
    userId,
    workspaceId,
    token,
    refreshToken,
    call: (method, path, options = {}) => call(method, path, { as: token, ...options }),
  };
}

/** A context as a queue message or a cron tick gets it. */
export function systemContext(overrides: Partial<Bindings> = {}): AppCtx {
  return makeContext({ ...bindings, ...overrides }, createExecutionContext());
}

/** Sets a superadmin's overrides of a workspace's limits straight in the table. */
export async function overrideLimits(workspaceId: string, overrides: Record<string, number | null>): Promise<void> {
  await bindings.DB.prepare("update workspaces set limit_overrides = ? where id = ?")
    .bind(JSON.stringify(overrides), workspaceId)
    .run();
}
