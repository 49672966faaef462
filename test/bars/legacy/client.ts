/** A client of an older system: calls the old paths, remembers which rows of the path table its calls were answered by, and what was wrong. */
import type { Alias } from "../../../src/app/legacy-paths.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into answers freely
export type Json = any;

export interface Answer {
  status: number;
  headers: Headers;
  /** Null unless the answer is JSON. */
  body: Json;
  bytes: Buffer;
}

export interface CallOptions {
  token?: string;
  apiKey?: string;
  /** JSON unless it is a form, with files or without. */
  body?: object;
  headers?: Record<string, string>;
}

export interface LegacyClient {
  /** Calls and compares the status; every call of a row counts as one use of it. */
  call(method: Alias["method"], path: string, expected: number, options?: CallOptions): Promise<Answer>;
  /** Notes a violation unless `holds`. The words begin with what the check is about. */
  check(holds: boolean, words: string): void;
  calls(): number;
  checks(): number;
  uncalled(): string[];
  violations: string[];
}

const timeoutMs = 60_000;

export function makeClient(url: string, aliases: readonly Alias[]): LegacyClient {
  const called = new Set<Alias>();
  const violations: string[] = [];
  let checks = 0;
  let calls = 0;
  const check = (holds: boolean, words: string) => {
    checks += 1;
    if (!holds) violations.push(words);
  };
  return {
    violations,
    check,
    calls: () => calls,
    checks: () => checks,
    uncalled: () =>
      aliases
        .filter((alias) => !called.has(alias))
        .map(
          ({ system, method, from, when }) => `${system} ${method} ${from}${when === undefined ? "" : ` with ${when}`}`,
        ),
    async call(method, path, expected, options = {}) {
      const row = findRow(aliases, { method, path, body: options.body });
      const answer = await send(`${url}${path}`, method, options);
      calls += 1;
      const problem = answer.status === expected ? "" : `: ${answer.bytes.toString("utf8").slice(0, 400)}`;
      check(
        answer.status === expected,
        `${wordsFor(expected)}: ${method} ${path} answered ${answer.status}, not ${expected}${problem}`,
      );
      if (row && answer.status === expected && expected < 400) called.add(row);
      // A row whose whole meaning is a refusal.
      if (row && expected === 410 && answer.status === 410) called.add(row);
      if (expected >= 400) checkError(check, `${method} ${path}`, answer);
      return answer;
    },
  };
}

function wordsFor(expected: number): string {
  return expected >= 400 ? "refusal" : "answer";
}

/** The first row that fits, as the product looks it up. */
function findRow(
  aliases: readonly Alias[],
  { method, path, body }: { method: string; path: string; body: object | undefined },
): Alias | undefined {
  const given = path.replace(/\?.*$/, "").replace(/\/$/, "").split("/");
  return aliases.find((alias) => {
    const wanted = alias.from.split("/");
    const fits =
      wanted.length === given.length &&
      wanted.every((segment, index) => segment.startsWith(":") || segment === given[index]);
    return (
      fits &&
      alias.method === method &&
      (alias.when === undefined || (body !== undefined && !(body instanceof FormData) && alias.when in body))
    );
  });
}

async function send(url: string, method: string, { token, apiKey, body, headers }: CallOptions): Promise<Answer> {
  const isForm = body instanceof FormData || body instanceof URLSearchParams;
  const response = await fetch(url, {
    method,
    redirect: "manual",
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(apiKey === undefined ? {} : { "x-api-key": apiKey }),
      ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? null : isForm ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(bytes.toString("utf8")) : null,
    bytes,
  };
}

/** Every older client finds its members in an error: `{error, message, timestamp}`, `success: false`, `details.request_id`. */
function checkError(check: LegacyClient["check"], call: string, { body }: Answer): void {
  const members = `error-shape: ${call}`;
  check(typeof body?.error === "string" && body.error !== "", `${members} has no error`);
  check(typeof body?.message === "string" && body.message !== "", `${members} has no message`);
  check(isTime(body?.timestamp), `${members} has no timestamp`);
  check(body?.success === false, `${members} does not say success: false`);
  const requestId: unknown = body?.details?.request_id;
  check(typeof requestId === "string" && requestId === body?.requestId, `${members} has no details.request_id`);
}

export function isTime(value: unknown): boolean {
  return (
    typeof value === "string" &&
    /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) &&
    Math.abs(Date.parse(value) - Date.now()) < 120_000
  );
}

/** Checks that the members are there and of these types; "null" allows null. */
export function checkMembers(client: LegacyClient, what: string, value: Json, members: Record<string, string>): void {
  for (const [name, type] of Object.entries(members)) {
    const given = value?.[name];
    const kind = Array.isArray(given) ? "array" : given === null ? "null" : typeof given;
    const fits = type.split("|").includes(type.includes("time") && isTime(given) ? "time" : kind);
    client.check(fits, `shape: ${what}.${name} is ${kind} ${JSON.stringify(given)?.slice(0, 80)}, not ${type}`);
  }
}

export function formOf(
  fields: Record<string, string>,
  files: { field: string; name: string; type: string; bytes: Uint8Array<ArrayBuffer> }[],
): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const { field, name, type, bytes } of files) form.append(field, new Blob([bytes], { type }), name);
  return form;
}
