/**
 * Addresses that tenants name: whatever they write, nothing that is not public is called. Two runs on real workerd: one on the machine's own
 * network, with a trap on loopback, and one on a stand-in network where every address that is not public is the trap. `npm run bar:outbound`
 */
import { type Bar, type BarOptions, type BarResult, main, type MutantRun, note } from "../options.ts";
import { type Person, startWithPeople } from "../people.ts";
import { openStage, type Patch, type Stage } from "../stage.ts";
import { openNetwork, openTrap } from "./network.ts";
import { goodUrls, redirects, refusedUrls, resolvedUrls } from "./urls.ts";

interface OutboundMutant extends MutantRun {
  patches: Patch[];
}

const adapter = "src/adapters/outbound.ts";
const rules = "src/lib/tenant-url.ts";
const addresses = "src/lib/network-address.ts";

const mutants: OutboundMutant[] = [
  {
    name: "no-look-up",
    provenBy: "trap",
    patches: [{ file: adapter, find: "!found.every(isPublicAddress)", replace: "found.length > 1_000" }],
  },
  {
    name: "one-good-address",
    provenBy: "trap",
    patches: [{ file: adapter, find: "!found.every(isPublicAddress)", replace: "!found.some(isPublicAddress)" }],
  },
  {
    name: "four-only",
    provenBy: "trap",
    patches: [
      {
        file: addresses,
        find: "inAny(globalUnicast) && !inAny(unreachableGlobal)",
        replace: "bytes.length === 16",
      },
    ],
  },
  {
    name: "redirects-followed",
    provenBy: "trap",
    patches: [
      {
        file: adapter,
        find: 'call(new Request(request, { redirect: "manual", signal }))',
        replace: 'call(new Request(request, { redirect: "follow", signal }))',
      },
    ],
  },
  {
    name: "any-port",
    provenBy: "admitted",
    patches: [{ file: rules, find: 'if (url.port !== "") return "port";', replace: "" }],
  },
  {
    name: "literal-addresses",
    provenBy: "admitted",
    patches: [{ file: rules, find: 'if (isLiteral(host)) return "literal-address";', replace: "" }],
  },
  {
    name: "local-names",
    provenBy: "admitted",
    patches: [{ file: rules, find: 'if (isLocalName(host)) return "local-name";', replace: "" }],
  },
  {
    name: "plain-http",
    provenBy: "admitted",
    patches: [{ file: rules, find: 'if (url.protocol !== "https:") return "not-https";', replace: "" }],
  },
];

/** Tests of endpoints are limited for each workspace. */
const testsAPerson = 25;

export const bar: Bar = { name: "outbound", mutants, run };

interface Seen {
  violations: string[];
  urls: number;
}

async function run(_: BarOptions, name: string | null): Promise<BarResult> {
  note(`outbound${name === null ? "" : `, mutant ${name}`}`);
  const patches = mutants.find((mutant) => mutant.name === name)?.patches ?? [];
  const standIn = await onStandIn(patches);
  const machine = name === null ? await onMachine() : { violations: [], urls: 0, hits: 0 };
  const violations = [...standIn.violations, ...machine.violations];
  return {
    ok: violations.length === 0,
    counts: {
      hostile: refusedUrls.length + resolvedUrls.length + redirects.length,
      good: goodUrls.length,
      onMachine: machine.urls,
      trapped: standIn.trapped + machine.hits,
    },
    violations,
  };
}

/** Everything that goes out goes to the stand-in network; nothing else of the product is changed. */
async function onStandIn(patches: readonly Patch[]): Promise<Seen & { trapped: number }> {
  const network = await openNetwork();
  const detour: Patch = {
    file: adapter,
    find: "call: Fetch = (request, options) => fetch(request, options)",
    replace: `call: Fetch = (asked, options) => {
      const request = new Request(asked, options);
      const headers = new Headers(request.headers);
      headers.set("x-bar-url", request.url);
      const { method, body, redirect, signal } = request;
      return fetch(new Request("http://127.0.0.1:${network.port}/", { method, headers, body, redirect, signal }));
    }`,
  };
  const stage = await openStage([detour, ...patches]);
  try {
    const urls = [...resolvedUrls, ...redirects, ...goodUrls];
    const people = await startWithPeople(stage, Math.ceil(urls.length / testsAPerson) + 1);
    const client = makeClient(stage, people);
    const violations = await client.offer(refusedUrls);
    for (const url of resolvedUrls) {
      const outcome = await client.test(url);
      if (outcome !== "address-refused" && outcome !== "unresolved")
        violations.push(`called: ${url} came to ${outcome}`);
    }
    for (const url of redirects) {
      const outcome = await client.test(url);
      if (outcome !== "refused-by-endpoint") violations.push(`called: ${url} came to ${outcome}`);
    }
    for (const url of goodUrls) {
      const outcome = await client.test(url);
      if (outcome !== "delivered") violations.push(`refused: ${url} came to ${outcome}`);
    }
    violations.unshift(...network.trapped.map((url) => `trap: ${url}`));
    return { violations, urls: urls.length, trapped: network.trapped.length };
  } finally {
    await stage.remove();
    await network.close();
  }
}

/** The product as it is: the same addresses with the port of a trap on loopback. */
async function onMachine(): Promise<Seen & { hits: number }> {
  const trap = await openTrap();
  const stage = await openStage([]);
  try {
    const urls = refusedUrls.flatMap((url) => withPort(url, trap.port));
    const people = await startWithPeople(stage, 2);
    const violations = await makeClient(stage, people).offer(urls);
    if (trap.hits() > 0) violations.unshift(`trap: ${trap.hits()} connections`);
    return { violations, urls: urls.length, hits: trap.hits() };
  } finally {
    await stage.remove();
    await trap.close();
  }
}

function withPort(text: string, port: number): string[] {
  const [, scheme, host] = /^(https):\/\/([^/@\\]+)\/hook$/.exec(text) ?? [];
  if (scheme === undefined || host === undefined) return [text];
  return [`https://${host}:${port}/hook`, `http://${host}:${port}/hook`];
}

function makeClient(stage: Stage, people: readonly Person[]) {
  let tests = 0;
  const endpoints = new Map<string, string>();

  async function send(person: Person, method: string, path: string, body?: object) {
    const answer = await fetch(`${stage.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${person.token}`, "content-type": "application/json" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into answers freely
    return { status: answer.status, body: (answer.status === 204 ? null : await answer.json()) as any };
  }

  async function endpointOf(person: Person): Promise<string> {
    const known = endpoints.get(person.userId);
    if (known !== undefined) return known;
    const made = await send(person, "POST", "/v1/webhooks", { url: goodUrls[0], events: ["ping"] });
    endpoints.set(person.userId, made.body.id);
    return made.body.id;
  }

  return {
    /** Names addresses that have to be refused; one that is taken is called. Returns what was wrong. */
    async offer(urls: readonly string[]): Promise<string[]> {
      const [person] = people;
      if (!person) throw new Error("nobody is there");
      const wrong: string[] = [];
      for (const url of urls) {
        const made = await send(person, "POST", "/v1/webhooks", { url });
        if (made.status === 422 && made.body.code === "address-refused") continue;
        wrong.push(`admitted: ${url} answered ${made.status} ${made.body?.code ?? ""}`);
        if (made.status !== 201) continue;
        await send(person, "POST", `/v1/webhooks/${made.body.id}/test`);
        await send(person, "DELETE", `/v1/webhooks/${made.body.id}`);
      }
      return wrong;
    },
    /** Has an address called by a ping and tells how it went. */
    async test(url: string): Promise<string> {
      const person = people[1 + Math.floor(tests / testsAPerson)];
      tests += 1;
      if (!person) throw new Error("too few people");
      const id = await endpointOf(person);
      const changed = await send(person, "PATCH", `/v1/webhooks/${id}`, { url });
      if (changed.status !== 200) return String(changed.body.code);
      const tested = await send(person, "POST", `/v1/webhooks/${id}/test`);
      return String(tested.body.attempts?.[0]?.outcome ?? tested.body.code);
    },
  };
}

if (import.meta.main) await main(bar);
