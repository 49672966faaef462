/** Whether another workspace's owner gets at things by their ids, or learns that they exist. */
import type { Person } from "../people.ts";
import type { Cast } from "./cast.ts";
import type { Json, Operation } from "./policy.ts";
import { ask, nobodysId } from "./requests.ts";
import { kindOf, namesThing } from "./things.ts";

interface Setting {
  url: string;
  operations: readonly Operation[];
  document: Json;
  /** Of a provider of models that takes any key. */
  providerUrl: string;
}

export interface Leaks {
  operations: number;
  requests: number;
  /** Operations whose body did not fit, so that no id was looked at. */
  unread: string[];
  violations: string[];
}

export async function findLeaks(cast: Cast, setting: Setting): Promise<Leaks> {
  const leaks: Leaks = { operations: 0, requests: 0, unread: [], violations: [] };
  const named = setting.operations.filter(namesThing);
  for (const [index, operation] of named.entries()) {
    const mark = `bar-${index}-${Date.now().toString(36)}`;
    try {
      const { isRead, violations } = await tryIds(
        cast,
        { ...setting, operation },
        await makeFor(cast, operation, { ...setting, mark }),
      );
      if (!isRead) leaks.unread.push(operation.id);
      leaks.violations.push(...violations);
    } catch (error) {
      leaks.violations.push(`resource: ${operation.id} could not be tried: ${(error as Error).message}`);
    }
    leaks.operations += 1;
    leaks.requests += 3;
  }
  return leaks;
}

async function makeFor(cast: Cast, operation: Operation, { url, providerUrl, mark }: Setting & { mark: string }) {
  const kind = kindOf(operation);
  const [extra] = cast.extras;
  if (!kind || !extra) throw new Error("it names something that no run makes");
  return kind.make({ url, owner: cast.owner, workspaceId: cast.teamId, extra, providerUrl }, mark);
}

type About = Omit<Setting, "operations"> & { operation: Operation };

/** First the other workspace asks, then the one that has it: whatever the operation ends is there until then. */
async function tryIds(cast: Cast, about: About, ids: Record<string, string>) {
  const as = (person: Person, workspaceId: string, given: Record<string, string>) =>
    ask({ ...about, target: { workspaceId, ids: given }, credential: person.token, selects: true });
  const foreign = await as(cast.foreigner, cast.foreignId, ids);
  const nobodys = Object.fromEntries(Object.keys(ids).map((name) => [name, nobodysId]));
  const unknown = await as(cast.foreigner, cast.foreignId, nobodys);
  const own = await as(cast.owner, cast.teamId, ids);
  const what = `${about.operation.method} ${about.operation.path}`;
  const violations: string[] = [];
  if (foreign.status !== unknown.status || foreign.code !== unknown.code || isTold(foreign.status))
    violations.push(
      `resource: ${what} tells another workspace ${foreign.status} ${foreign.code}, of an unknown one ${unknown.status} ${unknown.code}`,
    );
  if ([401, 403, 404].includes(own.status))
    violations.push(`resource: ${what} refuses its own workspace: ${own.status} ${own.code}`);
  return { isRead: foreign.status !== 400 && foreign.status !== 422, violations };
}

/** A body that does not fit is refused before the id is looked at. */
function isTold(status: number): boolean {
  return status !== 404 && status !== 422 && status !== 400;
}
