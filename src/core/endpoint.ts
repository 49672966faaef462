/**
 * One HTTP operation as one value. Access is a required field and is checked before validation, so that a stranger learns nothing
 * about the shape of a body. A handler takes plain data and returns plain data; only a raw endpoint sees `Response`.
 */
import type { Access } from "./access.ts";
import type { Ctx, WorkspaceCtx } from "./context.ts";
import type { LimitClass, OpenLimitName } from "./limits.ts";
import type { ProblemCode } from "./problem.ts";
import type { Output, Shape } from "./shape.ts";

export type Method = "get" | "post" | "put" | "patch" | "delete";
type Schema = Shape | undefined;
type Out<S extends Schema> = S extends Shape ? Output<S> : undefined;

/** What a handler gives back: data, or data with another status or headers; nothing where the answer has no body. */
type Result<S extends Schema> = S extends Shape ? Output<S> | Reply<Output<S>> : void;

/** Open operations know no workspace; all others act in exactly one. */
export type CtxOf<A extends Access> = A extends "public" ? Ctx : WorkspaceCtx;

export interface Input<Params extends Schema, Query extends Schema, Body extends Schema> {
  params: Out<Params>;
  query: Out<Query>;
  body: Out<Body>;
  /** The request itself; its body is unread only where the endpoint declares no `body`. */
  request: Request;
}

/** Status and headers that differ from the declared ones. */
export class Reply<Body> {
  readonly body: Body;
  readonly status: number | undefined;
  readonly headers: Record<string, string>;

  constructor(body: Body, options: { status?: number; headers?: Record<string, string> } = {}) {
    this.body = body;
    this.status = options.status;
    this.headers = options.headers ?? {};
  }
}

/** What only the OpenAPI document tells: the deployed Worker does not hold it (scripts/deployed-source.ts). */
interface Words {
  summary: string;
  description?: string;
  /** Codes beyond those that every operation may answer with. */
  problems?: readonly ProblemCode[];
}

interface Common<A extends Access, Params extends Schema, Query extends Schema> {
  /** The operationId: unique over the product. */
  name: string;
  method: Method;
  /** With `{name}` for parameters. */
  path: `/${string}`;
  access: A;
  /** Sub-users are refused, although the operation asks for no permission. */
  exceptSubUsers?: true;
  /** About the person alone: naming another workspace than the one that they are at home in is refused. */
  homeOnly?: true;
  /** The parameter of the path that names the workspace to act in; it wins over `X-Workspace-Id`. */
  workspaceParam?: string;
  /** The limit of an open operation; signed-in callers are always counted against their own. */
  limit?: OpenLimitName;
  /** Which limit of an API key it takes from; `default` unless said. */
  limitClass?: Exclude<LimitClass, "default">;
  /** Asking is free: the request is not an API call of the plan's quota (usage, models, health). */
  uncounted?: boolean;
  params?: Params;
  query?: Query;
  /** The largest JSON body, where it is not the usual mebibyte. */
  bodyBytesMax?: number;
  /** Errors leave in the shape that OpenAI's clients or those of Companion read, instead of as problem documents. */
  errors?: "openai" | "companion";
}

export interface EndpointSpec<
  A extends Access,
  Params extends Schema,
  Query extends Schema,
  Body extends Schema,
  Returns extends Schema,
>
  extends Common<A, Params, Query>, Words {
  body?: Body;
  /** Accept `application/x-www-form-urlencoded` beside JSON (older clients sign in by a form). */
  acceptsForm?: boolean;
  /** An absent body is read as `{}`. */
  bodyOptional?: boolean;
  /** Bodies documented but read by the handler itself, from `request`. */
  consumes?: Record<string, Shape>;
  returns?: Returns;
  status?: 200 | 201 | 202 | 204;
  /** Honours Idempotency-Key. */
  idempotent?: boolean;
  /** Members of the answer that are shown once and never kept for a replay. */
  secrets?: readonly string[];
  /** The answer is not kept: a repeated request runs again, finds what the first one made (`ctx.isReplay`) and tells of it. */
  answersAnew?: boolean;
  handle(ctx: CtxOf<A>, input: Input<Params, Query, Body>): Promise<Result<Returns>> | Result<Returns>;
}

export interface RawEndpointSpec<A extends Access, Params extends Schema, Query extends Schema, Body extends Schema>
  extends Common<A, Params, Query>, Words {
  body?: Body;
  /** Bodies documented but read by the handler itself, from `request`. */
  consumes?: Record<string, Shape>;
  /** Content types of the answer, each with what it is. */
  produces: Record<string, string>;
  /** The shape of an answer in JSON, where that is one of them. */
  returns?: Shape;
  status?: 200 | 302;
  handle(ctx: CtxOf<A>, input: Input<Params, Query, Body>): Promise<Response> | Response;
}

/** An endpoint as the composition sees it: its types are settled where it was defined. */
export interface AnyEndpoint extends Common<Access, Schema, Schema> {
  kind: "json" | "raw";
  body?: Schema;
  acceptsForm?: boolean;
  bodyOptional?: boolean;
  consumes?: Record<string, Shape>;
  returns?: Schema;
  status?: number;
  idempotent?: boolean;
  secrets?: readonly string[];
  answersAnew?: boolean;
  handle(ctx: never, input: never): unknown;
}

/** The same as the document sees it. */
export interface DescribedEndpoint extends AnyEndpoint, Words {
  produces?: Record<string, string>;
}

/**
 * @example
 * endpoint({ name: "getFile", method: "get", path: "/v1/files/{id}", summary: "One file", access: "files:read",
 *   params: FileId, returns: File, problems: ["file-not-found"], handle: (ctx, { params }) => media.getFile(ctx, params.id) })
 */
export function endpoint<
  A extends Access,
  Params extends Schema = undefined,
  Query extends Schema = undefined,
  Body extends Schema = undefined,
  Returns extends Schema = undefined,
>(spec: EndpointSpec<A, Params, Query, Body, Returns>): DescribedEndpoint {
  return { kind: "json", ...spec };
}

/** For streams, downloads and redirects: the handler makes the `Response` itself. */
export function rawEndpoint<
  A extends Access,
  Params extends Schema = undefined,
  Query extends Schema = undefined,
  Body extends Schema = undefined,
>(spec: RawEndpointSpec<A, Params, Query, Body>): DescribedEndpoint {
  return { kind: "raw", ...spec };
}
