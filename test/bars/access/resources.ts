/** Things of one workspace and whether another one's owner gets at them by their ids. */
import type { Person } from "../people.ts";
import { call, type Cast } from "./cast.ts";
import type { Json, Operation } from "./policy.ts";
import { ask, nobodysId } from "./requests.ts";

interface Kind {
  /** Where they are made and listed. */
  path: string;
  body: (mark: string) => object;
  id: (made: Json) => string;
}

const kinds: Kind[] = [
  { path: "/v1/api-keys", body: (mark) => ({ name: mark }), id: (made) => made.id },
  { path: "/v1/encryption-keys", body: () => ({ keyType: "user" }), id: (made) => made.id },
  {
    path: "/v1/uploads",
    body: (mark) => ({ fileName: `${mark}.wav`, contentType: "audio/wav", sizeBytes: 1_000 }),
    id: (made) => made.id,
  },
  {
    path: "/v1/webhooks",
    body: () => ({ url: "https://example.com/hook", events: ["job.failed"] }),
    id: (made) => made.id ?? made.webhook?.id,
  },
  {
    path: "/v1/sub-users",
    body: (mark) => ({ email: `${mark}@example.com`, password: `${mark} ${mark}` }),
    id: (made) => made.id,
  },
];

/** One thing for each operation, because some end it. */
export async function findLeaks(
  cast: Cast,
  about: { url: string; operations: readonly Operation[]; document: Json },
): Promise<{ requests: number; violations: string[] }> {
  const violations: string[] = [];
  let requests = 0;
  for (const kind of kinds) {
    for (const operation of about.operations.filter(({ path }) => path.startsWith(`${kind.path}/{id}`))) {
      const mark = `bar-${operation.id.toLowerCase()}-${Date.now().toString(36)}`;
      const options = { token: cast.owner.token, workspaceId: cast.teamId, body: kind.body(mark) };
      const id = String(kind.id(await call(about.url, kind.path, options)));
      const as = (person: Person, workspaceId: string, given: string) =>
        ask({
          ...about,
          operation,
          target: { workspaceId, ids: { id: given } },
          credential: person.token,
          selects: true,
        });
      const foreign = await as(cast.foreigner, cast.foreignId, id);
      const unknown = await as(cast.foreigner, cast.foreignId, nobodysId);
      const own = await as(cast.owner, cast.teamId, id);
      requests += 3;
      const what = `${operation.method} ${operation.path}`;
      if (foreign.status !== unknown.status || foreign.code !== unknown.code || isTold(foreign.status))
        violations.push(
          `resource: ${what} tells another workspace ${foreign.status} ${foreign.code}, of an unknown one ${unknown.status} ${unknown.code}`,
        );
      if ([401, 403, 404].includes(own.status))
        violations.push(`resource: ${what} refuses its own workspace: ${own.status} ${own.code}`);
    }
  }
  return { requests, violations };
}

/** A body that does not fit is refused before the id is looked at. */
function isTold(status: number): boolean {
  return status !== 404 && status !== 422 && status !== 400;
}
