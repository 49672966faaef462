/** Requests made from the document: path, query and body from its examples, else from its schemas. */
import { randomBytes } from "node:crypto";
import type { Json, Operation } from "./policy.ts";

const maxDepth = 8;

/** A value that the schema allows: its example, default or first choice, else the least that fits. */
export function valueOf(schema: Json, document: Json, depth = 0): Json {
  if (!schema || depth > maxDepth) return null;
  if (schema.$ref) return valueOf(named(document, schema.$ref), document, depth + 1);
  const given = schema.example ?? schema.examples?.[0] ?? schema.const ?? schema.default ?? schema.enum?.[0];
  if (given !== undefined) return given;
  const choice = schema.oneOf?.[0] ?? schema.anyOf?.[0];
  if (choice) return valueOf(choice, document, depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part: Json) => valueOf(part, document, depth + 1)));
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === "object" || schema.properties) return objectOf(schema, document, depth);
  if (type === "array")
    return Array.from({ length: schema.minItems ?? 0 }, () => valueOf(schema.items, document, depth + 1));
  if (type === "integer" || type === "number") return schema.minimum ?? (schema.exclusiveMinimum ?? 0) + 1;
  if (type === "boolean") return false;
  return type === "string" ? textOf(schema) : null;
}

function named(document: Json, reference: string): Json {
  return reference
    .slice(2)
    .split("/")
    .reduce((at, name) => at?.[name], document);
}

function objectOf(schema: Json, document: Json, depth: number): Json {
  const wanted = (schema.required ?? []) as string[];
  const shown = Object.keys(schema.properties ?? {}).filter((name) => schema.properties[name].example !== undefined);
  return Object.fromEntries(
    [...new Set([...wanted, ...shown])].map((name) => [
      name,
      valueOf(schema.properties?.[name] ?? {}, document, depth + 1),
    ]),
  );
}

function textOf({ format, minLength = 1 }: Json): string {
  if (format === "email") return `access-${randomBytes(6).toString("hex")}@example.com`;
  if (format === "uri" || format === "url") return "https://example.com/hook";
  if (format === "date-time") return "2026-01-01T00:00:00Z";
  if (format === "date") return "2026-01-01";
  return "access".padEnd(minLength, "x");
}

/** An id that nobody has. */
export const nobodysId = "none_00000000000000000000000000";

export interface Target {
  workspaceId: string;
  /** By parameter; others get an id that nobody has. */
  ids?: Record<string, string>;
}

export function pathOf(operation: Operation, { workspaceId, ids = {} }: Target, document: Json): string {
  const path = operation.path.replaceAll(/\{([^}]+)\}/g, (_, name: string) =>
    name === operation.workspaceParam ? workspaceId : (ids[name] ?? nobodysId),
  );
  const query = operation.query
    .filter((parameter) => parameter.required)
    .map((parameter) => `${parameter.name}=${encodeURIComponent(String(valueOf(parameter.schema, document)))}`);
  return query.length > 0 ? `${path}?${query.join("&")}` : path;
}

export interface Asked {
  url: string;
  operation: Operation;
  target: Target;
  document: Json;
  /** Null: nobody. */
  credential: string | null;
  /** False where a key names its workspace itself. */
  selects: boolean;
  /** The network address that limits are counted for. */
  from?: string;
}

export interface Answered {
  status: number;
  code: string;
}

/** The example's address with a name of its own: what is sent or granted to one address is limited, and says nothing about who may ask. */
function toSomebodyElse(body: Json): Json {
  if (typeof body?.email !== "string") return body;
  return { ...body, email: body.email.replace("@", `-${randomBytes(6).toString("hex")}@`) };
}

const timeoutMs = 30_000;

export async function ask(asked: Asked): Promise<Answered> {
  const { url, operation, target, document, credential, selects, from } = asked;
  const body = operation.body ? JSON.stringify(toSomebodyElse(valueOf(operation.body, document))) : null;
  const response = await fetch(`${url}${pathOf(operation, target, document)}`, {
    method: operation.method,
    headers: {
      ...(credential === null ? {} : { authorization: `Bearer ${credential}` }),
      ...(selects ? { "x-workspace-id": target.workspaceId } : {}),
      ...(from === undefined ? {} : { "cf-connecting-ip": from }),
      ...(body === null ? {} : { "content-type": "application/json" }),
    },
    body,
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs),
  });
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  if (response.status < 400 || !isJson) {
    await response.body?.cancel();
    return { status: response.status, code: "" };
  }
  return { status: response.status, code: codeIn(await response.json()) };
}

/** Of a problem document, or of an error as model operations or those of Uppy's companion tell it. */
function codeIn(answer: unknown): string {
  const { code, error } = answer as { code?: string; error?: { code?: string } | string };
  if (code !== undefined) return code;
  return typeof error === "object" ? (error.code ?? "").replaceAll("_", "-") : (error ?? "");
}

/** Problems by which a caller is turned away before the operation looks at anything. */
const refusals = new Set([
  "credentials-required",
  "credentials-invalid",
  "credentials-expired",
  "ambiguous-credentials",
  "workspace-not-found",
  "permission-denied",
  "session-required",
  "staff-only",
  "endpoint-not-allowed",
  "email-not-verified",
]);

/**
 * 401, 403 and 404 are refusals, but for those that only somebody who was let in can get: that an id inside the workspace is unknown, that a
 * role is not theirs to give. Whoever is to be turned away must not get these either, so counting them as admitted is the stricter reading.
 */
export function isAdmitted({ status, code }: Answered): boolean {
  return status !== 401 && status !== 403 && status !== 404 ? true : !refusals.has(code) && code !== "";
}
