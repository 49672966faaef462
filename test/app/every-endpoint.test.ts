/** What holds for each published operation, read from the table of contents: nobody has to remember to test it. */
import { beforeAll, describe, expect, it } from "vitest";
import { features } from "#app/features";
import { isPermission, isStaffPermission, permissionNames, permissions } from "#core/access";
import type { AnyEndpoint } from "#core/endpoint";
import { bindings, call, type Person, signUp } from "#test/support/harness";

const endpoints = features.flatMap((feature) => feature.endpoints);
const closed = endpoints.filter((spec) => spec.access !== "public");
const label = (spec: AnyEndpoint) => `${spec.method.toUpperCase()} ${spec.path}`;
/** Unknown ids, but the workspace that a path names is the given one. */
const strangePath = (spec: AnyEndpoint, workspaceId = "none_00000000") =>
  spec.path.replace(`{${spec.workspaceParam ?? ""}}`, workspaceId).replaceAll(/\{[^}]+\}/g, "none_00000000");
const withBody = (spec: AnyEndpoint) => spec.method !== "get" && spec.method !== "delete";

let person: Person;
let other: Person;
let superadmin: Person;

beforeAll(async () => {
  person = await signUp();
  other = await signUp();
  superadmin = await signUp();
  await bindings.DB.prepare("update users set role = 'superadmin' where id = ?").bind(superadmin.userId).run();
});

/** Somebody whom the operation lets in. */
const allowed = (spec: AnyEndpoint) => (isStaffPermission(spec.access) ? superadmin : person);

function expectProblem(answer: Awaited<ReturnType<typeof call>>, statuses: number[]): void {
  expect(statuses, JSON.stringify(answer.body)).toContain(answer.status);
  expect(answer.body.requestId).toBe(answer.headers.get("x-request-id") ?? answer.body.requestId);
  const type = answer.headers.get("content-type");
  if (type === "application/json") {
    const text = expect.any(String);
    // As Uppy's companion tells it.
    if (typeof answer.body.error === "string")
      return expect(answer.body).toMatchObject({ message: text, suggestion: text });
    expect(answer.body.error).toMatchObject({ message: text, type: text, code: text, suggestion: text });
    return;
  }
  expect(type).toBe("application/problem+json");
  expect(answer.body).toMatchObject({
    status: answer.status,
    code: expect.any(String),
    title: expect.any(String),
    detail: expect.any(String),
    suggestion: expect.any(String),
  });
}

describe.each(closed.map((spec) => [label(spec), spec] as const))("%s", (_, spec) => {
  it("tells errors in the shape that it declares", async () => {
    const type = spec.errors === "openai" ? "application/json" : "application/problem+json";
    expect((await call(spec.method, strangePath(spec))).headers.get("content-type")).toBe(type);
  });

  it("answers a stranger 401, whatever the body", async () => {
    expectProblem(
      await call(
        spec.method,
        strangePath(spec),
        withBody(spec) ? { body: "{ junk", headers: { "content-type": "application/json" } } : {},
      ),
      [401],
    );
    expectProblem(
      await call(spec.method, strangePath(spec), { as: "ovt_live_forged", ...(withBody(spec) ? { body: {} } : {}) }),
      [401],
    );
  });

  it("answers a foreign workspace like one that does not exist", async () => {
    const foreign = await call(spec.method, strangePath(spec, other.workspaceId), {
      as: person.token,
      headers: { "x-workspace-id": other.workspaceId },
      ...(withBody(spec) ? { body: {} } : {}),
    });
    const unknown = await call(spec.method, strangePath(spec, "wks_00000000000000000000000000"), {
      as: person.token,
      headers: { "x-workspace-id": "wks_00000000000000000000000000" },
      ...(withBody(spec) ? { body: {} } : {}),
    });
    expectProblem(foreign, [404]);
    // Which request it was, and when, is all that may differ.
    const { request_id: _foreign, ...foreignDetails } = foreign.body.details ?? {};
    const { request_id: _unknown, ...unknownDetails } = unknown.body.details ?? {};
    const own = { requestId: "", timestamp: "" };
    expect({ ...foreign.body, ...own, details: foreignDetails }).toEqual({
      ...unknown.body,
      ...own,
      details: unknownDetails,
    });
  });
});

describe.each(closed.filter((spec) => isPermission(spec.access)).map((spec) => [label(spec), spec] as const))(
  "%s",
  (_, spec) => {
    it("refuses a key without the scope and a role without the permission", async () => {
      if (!isPermission(spec.access)) return;
      const scopes = permissionNames.filter((name) => name !== spec.access);
      const made = await person.call("POST", "/v1/api-keys", { body: { name: "all but one", scopes } });
      expectProblem(
        await call(spec.method, strangePath(spec, person.workspaceId), {
          as: made.body.key,
          ...(withBody(spec) ? { body: {} } : {}),
        }),
        [403],
      );
      await person.call("DELETE", `/v1/api-keys/${made.body.id}`);
      if ((permissions[spec.access].roles as readonly string[]).includes("viewer")) return;
      const viewer = await signUp();
      await bindings.DB.prepare("insert into workspace_members values (?, ?, 'viewer', 0)")
        .bind(person.workspaceId, viewer.userId)
        .run();
      expectProblem(
        await call(spec.method, strangePath(spec, person.workspaceId), {
          as: viewer.token,
          headers: { "x-workspace-id": person.workspaceId },
          ...(withBody(spec) ? { body: {} } : {}),
        }),
        [403],
      );
    });
  },
);

describe.each(closed.filter((spec) => spec.path.includes("{")).map((spec) => [label(spec), spec] as const))(
  "%s",
  (_, spec) => {
    it("answers an unknown id with a problem and changes nothing", async () => {
      expectProblem(
        await allowed(spec).call(spec.method, strangePath(spec), withBody(spec) ? { body: {} } : {}),
        [404, 409, 422],
      );
    });
  },
);

describe.each(endpoints.filter((spec) => spec.body).map((spec) => [label(spec), spec] as const))("%s", (_, spec) => {
  it("answers junk, a wrong type and a wrong content type with a precise problem", async () => {
    // What Uppy's client has in the query as well is looked at first.
    const path = `${strangePath(spec, person.workspaceId)}${spec.errors === "companion" ? "?key=none" : ""}`;
    const send = (body: string, type: string) =>
      allowed(spec).call(spec.method, path, {
        body,
        headers: { "content-type": type },
      });
    expectProblem(await send("{ junk", "application/json"), [400]);
    // OpenAI's clients know of no 422.
    expectProblem(await send("[1]", "application/json"), spec.errors === "openai" ? [400] : [422, 404]);
    expectProblem(await send("<a/>", "application/xml"), [415]);
    expectProblem(
      await send(JSON.stringify({ filler: "x".repeat((spec.bodyBytesMax ?? 1_048_576) + 50_000) }), "application/json"),
      [413],
    );
  });
});

describe.each(closed.filter((spec) => isStaffPermission(spec.access)).map((spec) => [label(spec), spec] as const))(
  "%s",
  (_, spec) => {
    it("refuses everybody outside staff, and every key, with one and the same problem", async () => {
      const options = withBody(spec) ? { body: {} } : {};
      const refused = await person.call(spec.method, strangePath(spec), options);
      expectProblem(refused, [403]);
      expect(refused.body).toMatchObject({ code: "staff-only", requiredPermission: spec.access });
      const made = await superadmin.call("POST", "/v1/api-keys", { body: { name: "of a superadmin" } });
      expectProblem(await call(spec.method, strangePath(spec), { ...options, as: made.body.key }), [403]);
      await superadmin.call("DELETE", `/v1/api-keys/${made.body.id}`);
    });
  },
);

describe("tenant isolation", () => {
  it("never shows a row of another workspace in a list", async () => {
    await other.call("POST", "/v1/api-keys", { body: { name: "theirs" } });
    for (const spec of closed.filter((candidate) => candidate.method === "get" && !candidate.path.includes("{"))) {
      const answer = await person.call("GET", spec.path);
      expect(JSON.stringify(answer.body)).not.toContain(other.userId.slice(4));
    }
  });
});

describe("routes", () => {
  it("answer unknown paths 404 and wrong methods 405 with Allow", async () => {
    expectProblem(await call("GET", "/v1/nothing-here"), [404]);
    const wrong = await call("DELETE", "/v1/auth/me");
    expectProblem(wrong, [405]);
    expect(wrong.headers.get("allow")).toBe("GET");
  });

  it("have unique operation ids", () => {
    const names = endpoints.map((spec) => spec.name);
    expect(new Set(names).size).toBe(names.length);
  });
});
