/** How system C names tokens and asks models. Pure renamings. */
import { isProviderName, providers } from "#adapters/llm/catalogue";
import { legacyProblem } from "./problem-shape.ts";

type Json = Record<string, unknown>;
interface At {
  status: number;
  nowMs: number;
}

/** What its clients and its log of uses call the members of the published bodies. */
const otherNames: Readonly<Record<string, string>> = {
  amount: "tokens",
  token_count: "tokens",
  tokens_needed: "tokens",
  estimated_tokens: "tokens",
  tokens_used: "tokens",
  total_tokens: "tokens",
  model_name: "model",
  prompt_tokens: "input_tokens",
  completion_tokens: "output_tokens",
};
const numbers = new Set(["tokens", "input_tokens", "output_tokens", "expires_in_seconds"]);

/** A query knows texts only. */
function valueOf(name: string, value: unknown): unknown {
  return numbers.has(name) && typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
}

function tokenMembers(body: Json): Json {
  const members: Json = {};
  for (const [given, value] of Object.entries(body)) {
    const name = otherNames[given] ?? given;
    if (name === given || !(name in body)) members[name] = valueOf(name, value);
  }
  return members;
}

/** Its providers are prefixes of our ids, where they have one. */
function modelAt(provider: unknown, model: unknown): unknown {
  if (typeof provider !== "string" || typeof model !== "string" || provider === "") return model;
  const name = provider.toLowerCase();
  const prefix = isProviderName(name) ? (providers[name].prefix ?? "") : `${name}/`;
  return model.startsWith(prefix) ? model : `${prefix}${model}`;
}

export const tokenBodies = {
  cTokens: tokenMembers,
  cExecute: ({ provider, ...body }: Json): Json => ({ ...body, model: modelAt(provider, body["model"]) }),
} as const;

/** Its clients read `error` as a text, and how many tokens were short beside it. */
function failed(value: Json, { status, nowMs }: At): Json {
  const { message, ...members } = value["error"] as Json;
  return legacyProblem(
    { ...members, status, requestId: value["requestId"], error: message, message, detail: message },
    nowMs,
  );
}

const isOpenAiError = (value: Json) => typeof value["error"] === "object" && value["error"] !== null;

export const tokenAnswers = {
  cModelAnswer: (value: Json, at: At): unknown => (isOpenAiError(value) ? failed(value, at) : value),
  cExecuted: (value: Json, at: At): unknown => (isOpenAiError(value) ? failed(value, at) : { response: value }),
} as const;
