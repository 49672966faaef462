/** Paths of models and of the keys for their providers in systems C and D. */
import type { Alias } from "../legacy-paths.ts";

/** System D's keys of providers, by the provider's name. The exact paths come first: `:provider` would take their last word. */
const keysOfD: Alias[] = [
  { system: "D", method: "GET", from: "/api/api-keys", to: "/v1/provider-keys?limit=100", answer: "dProviderKeys" },
  {
    system: "D",
    method: "POST",
    from: "/api/api-keys",
    to: "/v1/provider-keys",
    body: "dProviderKey",
    answer: "dProviderKey",
  },
  {
    system: "D",
    method: "POST",
    from: "/api/api-keys/validate",
    to: "/v1/provider-keys/validate",
    body: "providerKeyCheck",
    answer: "dProviderKeyCheck",
  },
  {
    system: "D",
    method: "GET",
    from: "/api/api-keys/:provider",
    to: "/v1/provider-keys/:provider",
    answer: "dProviderKey",
  },
  ...(["PUT", "PATCH"] as const).map((method): Alias => ({
    system: "D",
    method,
    from: "/api/api-keys/:provider",
    to: "/v1/provider-keys/:provider",
    toMethod: "PATCH",
    body: "providerKeyChange",
    answer: "dProviderKey",
  })),
  {
    system: "D",
    method: "DELETE",
    from: "/api/api-keys/:provider",
    to: "/v1/provider-keys/:provider",
    answer: "success",
  },
  {
    system: "D",
    method: "POST",
    from: "/api/api-keys/:provider/test",
    to: "/v1/provider-keys/:provider/test",
    answer: "dProviderKeyCheck",
  },
  {
    system: "D",
    method: "GET",
    from: "/api/api-keys/:provider/usage",
    to: "/v1/provider-keys/:provider/usage",
    answer: "dProviderKeyUsage",
  },
];

const keysOfC: Alias[] = [
  { system: "C", method: "GET", from: "/auth/api-keys", to: "/v1/provider-keys?limit=100", answer: "cProviderKeys" },
  {
    system: "C",
    method: "POST",
    from: "/auth/api-keys",
    to: "/v1/provider-keys",
    body: "cProviderKey",
    answer: "cProviderKey",
  },
  { system: "C", method: "GET", from: "/auth/api-keys/:id", to: "/v1/provider-keys/:id", answer: "cProviderKey" },
  ...(["PUT", "PATCH"] as const).map((method): Alias => ({
    system: "C",
    method,
    from: "/auth/api-keys/:id",
    to: "/v1/provider-keys/:id",
    toMethod: "PATCH",
    body: "providerKeyChange",
    answer: "cProviderKey",
  })),
  { system: "C", method: "DELETE", from: "/auth/api-keys/:id", to: "/v1/provider-keys/:id", answer: "success" },
];

export const models: Alias[] = [
  ...keysOfD,
  ...keysOfC,
  { system: "C", method: "GET", from: "/llm/models", to: "/v1/models", answer: "cModels" },
  { system: "C", method: "GET", from: "/llm/providers", to: "/v1/llm/providers" },
  { system: "C", method: "GET", from: "/llm/health", to: "/v1/llm/health" },
  {
    system: "C",
    method: "GET",
    from: "/tokens/pricing/:provider/:model",
    to: "/v1/tokens/pricing/:provider/:model",
  },
];
