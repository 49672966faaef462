/** A workspace with a key, the limits of a load test and the provider's two names, on a stage; and what its ledger says. */
import OpenAI from "openai";
import { type Person, signUp } from "../people.ts";
import type { Stage } from "../stage.ts";
import { type LocalState, setRole } from "../state.ts";
import { fallbackPattern } from "./tasks.ts";
import type { Charge, Charges } from "./verify.ts";

export interface Company extends Person {
  key: string;
}

/** Limits, so that there is something to hold, and none of them in anybody's way. */
const wide = {
  apiKeyRequestsPerMinute: 1_000_000_000,
  chatRequestsPerMinute: 1_000_000_000,
  sessionRequestsPerMinute: 100_000,
  apiCallsPerMonth: 1_000_000_000_000,
  aiTokensPerMonth: 1_000_000_000_000,
  moneyMicroUsdPerMonth: 1_000_000_000_000,
  transcriptionMinutesPerMonth: 1_000_000,
  creditsPerDay: 1_000_000,
};

/** Makes the first account on a stage and sets it over all; the server runs when it is done. */
export async function openRoot(stage: Stage): Promise<Person> {
  await stage.start();
  const root = await signUp(stage.url);
  await stage.stop();
  setRole(stage.stateDir, { userId: root.userId, role: "superadmin" });
  await stage.start();
  const targets = [
    { provider: "openai", weight: 1 },
    { provider: "wapi", weight: 0 },
  ];
  const body = { id: fallbackPattern, routes: [{ targets }] };
  await send(stage, root, { method: "PUT", path: "/v1/admin/models", body });
  return root;
}

/** Its limits are set before it asks for anything: a plan is remembered for some seconds. */
export async function openCompany(stage: Stage, root: Person): Promise<Company> {
  const person = await signUp(stage.url);
  const body = { workspaceId: person.workspaceId, overrides: wide };
  await send(stage, root, { method: "PUT", path: "/v1/admin/limits", body });
  return { ...person, key: await makeKey(stage, person, {}) };
}

export async function makeKey(stage: Stage, person: Person, about: object): Promise<string> {
  const { key } = await send<{ key: string }>(stage, person, {
    method: "POST",
    path: "/v1/api-keys",
    body: { name: "bar", ...about },
  });
  return key;
}

export async function send<Body>(
  stage: Stage,
  { token }: Person,
  { method, path, body }: { method: string; path: string; body?: object },
): Promise<Body> {
  const answer = await fetch(`${stage.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status} ${text.slice(0, 500)}`);
  return (text === "" ? null : JSON.parse(text)) as Body;
}

/** The official client, as its users make it. */
export function clientOf(stage: Stage, key: string): OpenAI {
  return new OpenAI({ apiKey: key, baseURL: `${stage.url}/v1` });
}

export interface Standing {
  aiTokens: number;
  moneyMicroUsd: number;
  /** What is held, by meter; nothing where nothing is. */
  held: Record<string, number>;
}

interface UsageAnswer {
  resources: Record<string, { used: number; reserved: number }>;
}

export async function standingOf(stage: Stage, person: Person): Promise<Standing> {
  const { resources } = await send<UsageAnswer>(stage, person, { method: "GET", path: "/v1/usage" });
  return {
    aiTokens: resources["aiTokens"]?.used ?? Number.NaN,
    moneyMicroUsd: resources["money"]?.used ?? Number.NaN,
    held: Object.fromEntries(
      Object.entries(resources).flatMap(([name, { reserved }]) => (reserved === 0 ? [] : [[name, reserved]])),
    ),
  };
}

/** Makes the ledger tell the database everything. */
export async function deliver(stage: Stage, person: Person): Promise<void> {
  await send(stage, person, { method: "GET", path: "/v1/usage/history?days=2" });
}

interface UseRow {
  model: string;
  requests: number;
  estimated: number;
  input: number;
  cached: number;
  output: number;
}

/** Of the stopped server. */
export function chargesOf(state: LocalState, { workspaceId }: Person): Charges {
  const charges = new Map<string, Charge>();
  const of = (model: string): Charge => {
    const known = charges.get(model) ?? {
      amounts: {},
      requests: 0,
      estimated: 0,
      usage: { input: 0, cached: 0, output: 0 },
    };
    charges.set(model, known);
    return known;
  };
  const events = state.database<{ model: string; meter: string; amount: number }>(
    `SELECT model, meter, SUM(amount) AS amount FROM usage_events WHERE workspace_id = '${workspaceId}' GROUP BY model, meter`,
  );
  for (const { model, meter, amount } of events) of(model).amounts[meter] = amount;
  const uses = state.database<UseRow>(
    `SELECT model, SUM(requests) AS requests, SUM(estimated) AS estimated, SUM(input_tokens) AS input, SUM(cached_tokens) AS cached,
      SUM(output_tokens) AS output FROM model_use_events WHERE workspace_id = '${workspaceId}' GROUP BY model`,
  );
  for (const { model, requests, estimated, input, cached, output } of uses)
    Object.assign(of(model), { requests, estimated, usage: { input, cached, output } });
  return charges;
}

/** What all models together were charged for one meter. */
export function sumOf(charges: Charges, meter: string): number {
  return [...charges.values()].reduce((sum, { amounts }) => sum + (amounts[meter] ?? 0), 0);
}

export function holdsNothing({ held }: Standing): boolean {
  return Object.keys(held).length === 0;
}
