/** What the tests of prompts share: a deployment whose providers and search engine are the simulators, and people with styles and levels. */
import type { AppCtx } from "#app/app-context";
import type { WorkspaceCtx } from "#core/context";
import type { Bindings } from "#core/env";
import { ask } from "#features/prompts/ask";
import { planBody, topicsIn } from "#features/prompts/research/questions";
import { bindings, type Called, type CallOptions, type Person, signUp, systemContext } from "#test/support/harness";

const sandbox = "http://127.0.0.1:8787/__sandbox";

/** The simulators under names of real companies: what a request costs is charged as in production. */
export const configured = {
  ...bindings,
  PROVIDER_OPENAI_BASE_URL: `${sandbox}/llm/v1`,
  PROVIDER_OPENAI_KEY: "sk-live",
  PROVIDER_OPENROUTER_BASE_URL: `${sandbox}/llm/v1`,
  PROVIDER_OPENROUTER_KEY: "sk-live",
  SEARCH_PROVIDER: "searxng",
  SEARCH_BASE_URL: `${sandbox}/search`,
  OUTBOUND_TENANT_ALLOW: "",
} as Bindings;

export async function personWith(styles: string[], level: string): Promise<Person> {
  const person = await signUp();
  await bindings.DB.prepare("update users set prompt_styles = ?, prompt_level = ? where id = ?")
    .bind(JSON.stringify(styles), level, person.userId)
    .run();
  return person;
}

export const prompt = (person: Person, body: object, options: CallOptions = {}): Promise<Called> =>
  person.call("POST", "/v1/prompt/completions", { env: configured, body, ...options });

export const hello = { level: "low", messages: [{ role: "user", content: "Hello there." }] };

export async function used(person: Person): Promise<{ credits: number; tokens: number; reserved: number }> {
  const { body } = await person.call("GET", "/v1/usage");
  const { credits, aiTokens } = body.resources;
  return { credits: credits.used, tokens: aiTokens.used, reserved: credits.reserved + aiTokens.reserved };
}

/** While `work` runs, requests for a model go to a simulated one that misbehaves. */
export function misrouted<Result>(id: string, model: string, work: () => Promise<Result>): Promise<Result> {
  return overridden(id, { routes: [{ targets: [{ provider: "openai", model }] }] }, work);
}

/** While `work` runs, a superadmin's override of a model holds. */
export async function overridden<Result>(id: string, change: object, work: () => Promise<Result>): Promise<Result> {
  const superadmin = await signUp();
  await bindings.DB.prepare("update users set role = 'superadmin' where id = ?").bind(superadmin.userId).run();
  const put = async (body: object) => {
    const answer = await superadmin.call("PUT", "/v1/admin/models", { env: configured, body: { id, ...body } });
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  };
  await put(change);
  try {
    return await work();
  } finally {
    await put({ reset: true });
  }
}

/** The context of a request of this person in that deployment; hints to queues are dropped. */
export function contextOf(person: Person): AppCtx & WorkspaceCtx {
  const { userId, workspaceId } = person;
  const actor = { kind: "user", userId, sessionId: "ses_test", role: "owner" } as const;
  const acting = { actor, userId, workspaceId, plan: "free" as const, overrides: {} };
  return Object.assign(systemContext(configured), acting, { offer: async () => undefined });
}

/** The simulated planner wants research for about half of all requests: the first one with these words that it does. */
export async function wanting(words: string, depth: "basic" | "medium" | "high" = "basic"): Promise<string> {
  const ctx = contextOf(await signUp());
  for (let attempt = 1; attempt <= 20; attempt += 1) {
    const query = `${words} (${attempt})`;
    const { text } = await ask(ctx, { body: planBody(query, depth), signal: AbortSignal.timeout(10_000) });
    if (topicsIn(text, depth).length > 0) return query;
  }
  throw new Error("no plan wanted research");
}
