/**
 * What is known of model providers and their models without asking anybody: addresses, dialects, sizes, capabilities, list prices.
 * Facts as the vendors published them; superadmins correct them by overrides (`features/models`), never by a change here alone.
 */
import { capabilities, type Capability, type Dialect, type ModelFacts, type Price } from "./contract.ts";

/** The day on which these facts were last compared with the vendors' pages. */
export const catalogueDate = "2026-11-21";

export interface ProviderFacts {
  displayName: string;
  dialect: Dialect;
  /** Without a slash at the end. Null: every deployment has its own. */
  baseUrl: string | null;
  /** System C's way to name the provider in a model id: `or/vendor/model`. */
  prefix: string | null;
  /** False: answers without a key, so naming its address is enough to configure it. */
  needsKey: boolean;
}

export const providers = {
  openai: openAiLike("OpenAI", "https://api.openai.com/v1"),
  anthropic: { ...openAiLike("Anthropic", "https://api.anthropic.com/v1"), dialect: "anthropic" },
  a4f: { ...openAiLike("A4F", "https://api.a4f.co/v1"), prefix: "a4f/" },
  openrouter: { ...openAiLike("OpenRouter", "https://openrouter.ai/api/v1"), prefix: "or/" },
  glama: { ...openAiLike("Glama", "https://gateway.glama.ai/v1"), prefix: "glama/" },
  requesty: { ...openAiLike("Requesty", "https://router.requesty.ai/v1"), prefix: "req/" },
  aiml: { ...openAiLike("AI/ML API", "https://api.aimlapi.com/v1"), prefix: "aiml/" },
  groq: openAiLike("Groq", "https://api.groq.com/openai/v1"),
  // Runs where its operator says, and its address holds the account's id at Cloudflare's.
  ollama: { ...openAiLike("Ollama", null), needsKey: false },
  "workers-ai": openAiLike("Workers AI", null),
  /** System B's upstream. */
  wapi: openAiLike("WAPI", null),
  /** The simulator in this Worker, for test mode; its address is the deployment's own. */
  sandbox: openAiLike("Sandbox", null),
} as const satisfies Record<string, ProviderFacts>;

export type ProviderName = keyof typeof providers;

export function isProviderName(name: string): name is ProviderName {
  return Object.hasOwn(providers, name);
}

function openAiLike(displayName: string, baseUrl: string | null): ProviderFacts {
  return { displayName, dialect: "openai", baseUrl, prefix: null, needsKey: true };
}

export interface CatalogueModel extends ModelFacts {
  ownedBy: string;
  /** Who serves it under this very id, the first that is configured is asked. */
  providers: readonly ProviderName[];
}

/** US dollars for a million tokens, as price lists print them. */
function usd(input: number, output: number, cached = input): Price {
  const micro = (dollars: number) => Math.round(dollars * 1_000_000);
  return {
    inputMicroUsdPerMillion: micro(input),
    cachedInputMicroUsdPerMillion: micro(cached),
    outputMicroUsdPerMillion: micro(output),
  };
}

/** System C's price of a model that nobody knows: 0.001 USD for 1,000 tokens in either direction. */
export const defaultPrice: Price = usd(1, 1);

const text: readonly Capability[] = ["chat", "completions", "responses", "tools", "structured-output"];
const sighted: readonly Capability[] = [...text, "images-in"];
const early: readonly Capability[] = ["chat", "completions", "responses", "tools"];

/** Id, name, tokens of context and of output, price. */
type Row = [id: string, displayName: string, contextTokens: number, maxOutputTokens: number, price: Price];

function models(
  about: { ownedBy: string; providers: readonly ProviderName[]; capabilities: readonly Capability[] },
  rows: readonly Row[],
): CatalogueModel[] {
  return rows.map(([id, displayName, contextTokens, maxOutputTokens, price]) => ({
    id,
    displayName,
    contextTokens,
    maxOutputTokens,
    price,
    ...about,
  }));
}

const openAi = { ownedBy: "openai", providers: ["openai", "wapi"] } as const;
const openAiOnly = { ownedBy: "openai", providers: ["openai"] } as const;
const anthropic = { ownedBy: "anthropic", providers: ["anthropic"] } as const;
const groq = { providers: ["groq"] } as const;

// developers.openai.com/api/docs/pricing. The older ones at the prices that system C charged (legacy-systems C.5).
// These are the prices of prompts up to 272,000 tokens: from GPT-5.4 on OpenAI takes twice as much for the input of a longer one, and half as much again
// for its output (GPT-6 Sol's and Luna's notes of 2026-09-22). Who sells such prompts sets a price that covers them (PUT /v1/admin/prices).
const openAiModels = [
  ...models({ ...openAi, capabilities: sighted }, [
    ["gpt-6-astra", "GPT-6 Astra", 1_050_000, 128_000, usd(10, 50, 1)],
    ["gpt-6-sol", "GPT-6 Sol", 1_050_000, 128_000, usd(2, 10, 0.2)],
    ["gpt-6-luna", "GPT-6 Luna", 1_050_000, 128_000, usd(0.1, 0.5, 0.01)],
    ["gpt-5.6-sol", "GPT-5.6 Sol", 1_050_000, 128_000, usd(4, 20, 0.4)],
    ["gpt-5.6-terra", "GPT-5.6 Terra", 1_050_000, 128_000, usd(2, 12, 0.2)],
    ["gpt-5.6-luna", "GPT-5.6 Luna", 1_050_000, 128_000, usd(0.2, 1.2, 0.02)],
    ["gpt-5.5", "GPT-5.5", 1_050_000, 128_000, usd(5, 30, 0.5)],
    ["gpt-5.4", "GPT-5.4", 1_050_000, 128_000, usd(2.5, 15, 0.25)],
    ["gpt-5.4-mini", "GPT-5.4 mini", 400_000, 128_000, usd(0.75, 4.5, 0.075)],
    ["gpt-5.4-nano", "GPT-5.4 nano", 400_000, 128_000, usd(0.2, 1.25, 0.02)],
    ["gpt-5.2", "GPT-5.2", 400_000, 128_000, usd(1.75, 14, 0.175)],
    ["gpt-5.1", "GPT-5.1", 400_000, 128_000, usd(1.25, 10, 0.125)],
    ["gpt-5", "GPT-5", 400_000, 128_000, usd(1.25, 10, 0.125)],
    ["gpt-5-mini", "GPT-5 mini", 400_000, 128_000, usd(0.25, 2, 0.025)],
    ["gpt-5-nano", "GPT-5 nano", 400_000, 128_000, usd(0.05, 0.4, 0.005)],
    ["gpt-4.1", "GPT-4.1", 1_047_576, 32_768, usd(2, 8, 0.5)],
    ["gpt-4.1-mini", "GPT-4.1 mini", 1_047_576, 32_768, usd(0.4, 1.6, 0.1)],
    ["gpt-4.1-nano", "GPT-4.1 nano", 1_047_576, 32_768, usd(0.1, 0.4, 0.025)],
    ["gpt-4o", "GPT-4o", 128_000, 16_384, usd(2.5, 10, 1.25)],
    ["gpt-4o-mini", "GPT-4o mini", 128_000, 16_384, usd(0.15, 0.6, 0.075)],
    ["o4-mini", "o4-mini", 200_000, 100_000, usd(1.1, 4.4, 0.275)],
    ["o3", "o3", 200_000, 100_000, usd(2, 8, 0.5)],
    ["gpt-4-turbo", "GPT-4 Turbo", 128_000, 4_096, usd(10, 30)],
  ]),
  ...models({ ...openAi, capabilities: text }, [["o3-mini", "o3-mini", 200_000, 100_000, usd(1.1, 4.4, 0.55)]]),
  ...models({ ...openAi, capabilities: early }, [
    ["gpt-4", "GPT-4", 8_192, 8_192, usd(30, 60)],
    ["gpt-3.5-turbo", "GPT-3.5 Turbo", 16_385, 4_096, usd(1.5, 2)],
  ]),
  ...models({ ...openAiOnly, capabilities: ["embeddings"] }, [
    ["text-embedding-3-small", "Text embedding 3 small", 8_191, 0, usd(0.02, 0)],
    ["text-embedding-3-large", "Text embedding 3 large", 8_191, 0, usd(0.13, 0)],
    ["text-embedding-ada-002", "Text embedding ada 002", 8_191, 0, usd(0.1, 0)],
  ]),
  ...models({ ...openAiOnly, capabilities: ["transcription"] }, [
    ["gpt-4o-transcribe", "GPT-4o Transcribe", 16_000, 2_000, usd(2.5, 10)],
    ["gpt-4o-mini-transcribe", "GPT-4o mini Transcribe", 16_000, 2_000, usd(1.25, 5)],
    // 0.006 USD a minute; an upload of 25 MB is at most some hours of sound.
    ["whisper-1", "Whisper", 144_000, 0, usd(10, 0)],
  ]),
  ...models({ ...openAiOnly, capabilities: ["speech"] }, [
    ["gpt-4o-mini-tts", "GPT-4o mini TTS", 2_000, 0, usd(0.6, 12)],
    // 15 and 30 USD for a million characters, at most 4,096 a call.
    ["tts-1", "TTS 1", 1_024, 0, usd(60, 0)],
    ["tts-1-hd", "TTS 1 HD", 1_024, 0, usd(120, 0)],
  ]),
  ...models({ ...openAiOnly, capabilities: ["images"] }, [
    ["gpt-image-1", "GPT Image 1", 32_000, 0, usd(10, 40, 2.5)],
    ["gpt-image-1-mini", "GPT Image 1 mini", 32_000, 0, usd(2.5, 8, 0.25)],
  ]),
  ...models({ ...openAiOnly, capabilities: ["moderation"] }, [
    ["omni-moderation-latest", "Omni moderation", 32_000, 0, usd(0, 0)],
  ]),
];

// platform.claude.com/docs/en/about-claude/pricing.
const anthropicModels = models({ ...anthropic, capabilities: ["chat", "tools", "images-in", "structured-output"] }, [
  ["claude-fable-5-1", "Claude Fable 5.1", 1_000_000, 128_000, usd(10, 50, 0.25)],
  ["claude-opus-5-5", "Claude Opus 5.5", 1_000_000, 128_000, usd(4, 20, 0.2)],
  ["claude-opus-5", "Claude Opus 5", 1_000_000, 128_000, usd(5, 25, 0.5)],
  ["claude-sonnet-5-5", "Claude Sonnet 5.5", 1_000_000, 128_000, usd(2, 10, 0.1)],
  ["claude-sonnet-5", "Claude Sonnet 5", 1_000_000, 128_000, usd(2, 10, 0.2)],
  // Up to 100,000 tokens of prompt it costs a fifth of this: the dearer one, so that no long prompt is sold below its price.
  ["claude-haiku-5-5", "Claude Haiku 5.5", 1_000_000, 128_000, usd(0.5, 2.5, 0.05)],
  ["claude-sonnet-4-5", "Claude Sonnet 4.5", 200_000, 64_000, usd(3, 15, 0.3)],
  ["claude-haiku-4-5", "Claude Haiku 4.5", 200_000, 64_000, usd(1, 5, 0.1)],
  ["claude-3-sonnet", "Claude 3 Sonnet", 200_000, 4_096, usd(3, 15)],
  ["claude-3-haiku", "Claude 3 Haiku", 200_000, 4_096, usd(0.25, 1.25)],
]);

// groq.com/pricing, console.groq.com/docs/models.
const groqModels = [
  ...models({ ...groq, ownedBy: "meta", capabilities: ["chat", "responses", "tools"] }, [
    ["llama-3.3-70b-versatile", "Llama 3.3 70B", 131_072, 32_768, usd(0.59, 0.79)],
    ["llama-3.1-8b-instant", "Llama 3.1 8B", 131_072, 131_072, usd(0.05, 0.08)],
  ]),
  ...models({ ...groq, ownedBy: "openai", capabilities: ["chat", "responses", "tools", "structured-output"] }, [
    ["openai/gpt-oss-120b", "GPT-OSS 120B", 131_072, 65_536, usd(0.15, 0.6, 0.075)],
    ["openai/gpt-oss-20b", "GPT-OSS 20B", 131_072, 65_536, usd(0.075, 0.3, 0.0375)],
  ]),
  // 0.111 and 0.04 USD an hour of sound.
  ...models({ ...groq, ownedBy: "openai", capabilities: ["transcription"] }, [
    ["whisper-large-v3", "Whisper large v3", 144_000, 0, usd(3.083334, 0)],
    ["whisper-large-v3-turbo", "Whisper large v3 turbo", 144_000, 0, usd(1.111112, 0)],
  ]),
];

// developers.cloudflare.com/workers-ai/platform/pricing.
const workersAiModels = models(
  { ownedBy: "meta", providers: ["workers-ai"], capabilities: ["chat", "tools", "structured-output"] },
  [["@cf/meta/llama-3.3-70b-instruct-fp8-fast", "Llama 3.3 70B (Workers AI)", 24_000, 24_000, usd(0.293, 2.253)]],
);

export const catalogue: ReadonlyMap<string, CatalogueModel> = new Map(
  [...openAiModels, ...anthropicModels, ...groqModels, ...workersAiModels].map((model) => [model.id, model]),
);

const datedName = /-(?:latest|\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$/;

/**
 * What is known of the model that a provider calls by this name: vendors' prefixes (`openai/gpt-4o`), dates (`gpt-4o-2024-08-06`) and dots
 * for dashes (`anthropic/claude-sonnet-4.5`) do not matter. Null for a name that says nothing.
 */
export function factsOfName(name: string): CatalogueModel | null {
  const own = name.slice(name.lastIndexOf("/") + 1);
  const undated = own.replace(datedName, "");
  for (const candidate of [name, own, undated, undated.replaceAll(".", "-")]) {
    const known = catalogue.get(candidate);
    if (known) return known;
  }
  return null;
}

/** A model that nobody knows: bounds that do not get in the way, system C's price, and every capability, because only its provider can say. */
export function unknownFacts(id: string): ModelFacts {
  return {
    id,
    displayName: id,
    contextTokens: 128_000,
    maxOutputTokens: 16_384,
    capabilities,
    price: defaultPrice,
  };
}
