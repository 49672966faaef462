/** What the gateway and the dialects of model providers agree on. Holds values and types only: no network, no secret of anybody. */

export const dialects = ["openai", "anthropic"] as const;
export type Dialect = (typeof dialects)[number];

export const capabilities = [
  "chat",
  "completions",
  "responses",
  "tools",
  "images-in",
  "structured-output",
  "embeddings",
  "transcription",
  "speech",
  "images",
  "moderation",
] as const;
export type Capability = (typeof capabilities)[number];

/**
 * Micro-USD for a million tokens, whole numbers. What a provider sells by time or characters is given in tokens: ten tokens are a
 * second of sound, one token is four characters.
 */
export interface Price {
  inputMicroUsdPerMillion: number;
  cachedInputMicroUsdPerMillion: number;
  outputMicroUsdPerMillion: number;
}

export interface ModelFacts {
  id: string;
  displayName: string;
  contextTokens: number;
  /** 0: the model answers with something else than tokens (vectors, sound, pictures, verdicts). */
  maxOutputTokens: number;
  capabilities: readonly Capability[];
  price: Price;
}

/** One place that a request can be sent to. */
export interface Target {
  /** "openai", "a4f", "anthropic", "sandbox", ... */
  provider: string;
  dialect: Dialect;
  /** Ends without a slash; `/chat/completions` is appended. */
  baseUrl: string;
  /** Sent as Bearer (openai) or x-api-key (anthropic); empty: the provider asks for none. Never logged. */
  secret: string;
  /** Set when the secret is the workspace's own: then money is not charged, tokens are. */
  ownKeyId: string | null;
  /** The address was named by a tenant: the rules of `outbound.tenant` apply. */
  isTenantUrl: boolean;
  /** The name at the provider. */
  model: string;
  /** The id that the caller sees. */
  publicModel: string;
  weight: number;
  facts: ModelFacts;
}

/** `cachedInputTokens` are among `inputTokens`. */
export interface TokenUsage {
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  /** The provider did not say; the numbers are counted by us. */
  estimated: boolean;
}
