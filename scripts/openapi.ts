/**
 * The OpenAPI 3.1 document, made from the endpoints when the project is built. The Worker serves the result as a file: its start-up and
 * its bundle do not pay for the generator, which brings the whole of zod with all its languages.
 */
import { zodToOpenAPIRegistry } from "@asteasolutions/zod-to-openapi";
import { OpenAPIHono } from "@hono/zod-openapi";
import * as z from "zod";
import { isOpenForm } from "#core/open-forms";
import { isPermission, isStaffPermission } from "#core/access";
import type { DescribedEndpoint } from "#core/endpoint";
import { type ProblemCode, problemKinds } from "#core/problem";
import { features } from "#app/features";

const problemShape = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string(),
    suggestion: z.string(),
    requestId: z.string(),
    error: z.string(),
    message: z.string(),
  })
  .loose()
  .meta({ id: "Problem" });

export function buildDocument(): object {
  nameComponents();
  const generator = new OpenAPIHono();
  generator.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description: "An access token, a session token or an API key.",
  });
  generator.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
    type: "apiKey",
    in: "header",
    name: "X-API-Key",
  });
  for (const feature of features) {
    for (const spec of feature.endpoints) generator.openAPIRegistry.registerPath(describe(spec, feature.name));
  }
  return generator.getOpenAPI31Document({
    openapi: "3.1.0",
    servers: [{ url: "/" }],
    info: {
      title: "Overtone",
      version: "1",
      description: "Media and AI backend. Errors are RFC 9457 problem details; every code is in docs/problems.md.",
    },
    tags: features.map(({ name, summary }) => ({ name, description: summary })),
  });
}

/** The generator keeps the names of components in a registry of its own: copies those that shapes carry as `meta({ id })`. */
function nameComponents(): void {
  const named = (z.globalRegistry as unknown as { _idmap: Map<string, z.ZodType> })._idmap;
  for (const [id, schema] of named) zodToOpenAPIRegistry.add(schema, { _internal: { refId: id } });
}

type RouteConfig = Parameters<OpenAPIHono["openAPIRegistry"]["registerPath"]>[0];

function describe(spec: DescribedEndpoint, tag: string): RouteConfig {
  return {
    operationId: spec.name,
    method: spec.method,
    path: spec.path.replaceAll(/\{([^}:]+):[^}]+\}/g, "{$1}"),
    summary: spec.summary,
    ...(spec.description ? { description: spec.description } : {}),
    tags: [tag],
    security: spec.access === "public" ? [] : [{ bearer: [] }, { apiKey: [] }],
    ...(spec.access === "public" ? { "x-public": true } : { "x-access": spec.access }),
    ...(spec.exceptSubUsers ? { "x-access-except": ["sub-user"] } : {}),
    ...(spec.homeOnly ? { "x-access-home": true } : {}),
    ...(spec.workspaceParam === undefined ? {} : { "x-workspace-param": spec.workspaceParam }),
    request: requestOf(spec),
    responses: { ...answerOf(spec), ...problemsOf(spec) },
  } as RouteConfig;
}

function requestOf(spec: DescribedEndpoint): RouteConfig["request"] {
  const headers = spec.idempotent
    ? z.object({
        "idempotency-key": z
          .string()
          .max(255)
          .optional()
          .meta({ description: "The same key and body replay the first answer for 24 hours." }),
      })
    : undefined;
  const content: Record<string, { schema: z.ZodType }> = {};
  if (spec.body) content["application/json"] = { schema: spec.body() };
  if (spec.body && spec.acceptsForm) content["application/x-www-form-urlencoded"] = { schema: spec.body() };
  for (const [type, shape] of Object.entries(spec.consumes ?? {})) content[type] = { schema: shape() };
  const hasBody = Object.keys(content).length > 0;
  return {
    ...(spec.params ? { params: spec.params() as never } : {}),
    ...(spec.query ? { query: spec.query() as never } : {}),
    ...(headers ? { headers } : {}),
    ...(hasBody ? { body: { required: spec.bodyOptional !== true, content } } : {}),
  };
}

function answerOf(spec: DescribedEndpoint): RouteConfig["responses"] {
  if (spec.kind === "raw") {
    const content = Object.fromEntries(
      Object.keys(spec.produces ?? {}).map((type) => [
        type,
        {
          schema:
            type === "application/json" && spec.returns
              ? spec.returns()
              : z.string().meta({ format: type.startsWith("text/") ? undefined : "binary" }),
        },
      ]),
    );
    return { [spec.status ?? 200]: { description: Object.values(spec.produces ?? {}).join(" "), content } };
  }
  if (!spec.returns) return { [spec.status ?? 204]: { description: "Done; no body." } };
  return {
    [spec.status ?? 200]: { description: spec.summary, content: { "application/json": { schema: spec.returns() } } },
  };
}

/** Every code an operation may answer with, grouped by status. */
function problemsOf(spec: DescribedEndpoint): RouteConfig["responses"] {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set<ProblemCode>([...(spec.problems ?? []), ...impliedProblems(spec)])) {
    const { status } = problemKinds[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const entries = [...byStatus].sort(([a], [b]) => a - b);
  return Object.fromEntries(
    entries.map(([status, codes]) => [
      status,
      { description: codes.sort().join(", "), content: { "application/problem+json": { schema: problemShape } } },
    ]),
  );
}

function impliedProblems(spec: DescribedEndpoint): ProblemCode[] {
  const codes: ProblemCode[] = [];
  if (spec.access !== "public")
    codes.push(
      "credentials-required",
      "credentials-invalid",
      "credentials-expired",
      "ambiguous-credentials",
      "workspace-not-found",
      "rate-limited",
    );
  if (spec.limit) codes.push("rate-limited");
  if (isOpenForm(spec.name)) codes.push("human-check-failed", "human-check-unavailable");
  codes.push(...refusalsOf(spec));
  if (spec.body) codes.push("invalid-json", "unsupported-content-type", "body-too-large");
  if (spec.body || spec.query || spec.params) codes.push("validation-failed");
  if (spec.idempotent) codes.push("idempotency-key-invalid", "idempotency-key-reused", "idempotency-key-running");
  return codes;
}

function refusalsOf({ access, exceptSubUsers, homeOnly }: DescribedEndpoint): ProblemCode[] {
  const codes: ProblemCode[] = access === "session" ? ["session-required"] : [];
  if (exceptSubUsers) codes.push("permission-denied");
  if (homeOnly) codes.push("workspace-not-found");
  if (isPermission(access)) codes.push("permission-denied", "endpoint-not-allowed");
  if (isStaffPermission(access)) codes.push("staff-only");
  return codes;
}
