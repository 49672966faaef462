/** Codes of models, their providers, and the keys for providers that workspaces bring. */
import type { ProblemKind } from "../problem-kind.ts";

export const modelProblems = {
  "model-not-found": {
    status: 404,
    title: "No such model",
    suggestion: "See GET /v1/models.",
  },
  "model-not-allowed": {
    status: 403,
    title: "The model is not among those that you may use",
    suggestion: "Use a model of GET /v1/models, or ask an admin of the workspace.",
  },
  "guardrail-blocked": {
    status: 422,
    title: "A rule of the workspace does not let this through",
    suggestion: "Change what the rule named here is about, or ask an admin of the workspace; see GET /v1/guardrails.",
  },
  "guardrails-changed": {
    status: 409,
    title: "The guardrails have been changed since they were read",
    suggestion: "Read them again, and send the change with their version.",
  },
  "model-capability-missing": {
    status: 400,
    title: "The model cannot do this",
    suggestion: "Use a model whose capabilities name the operation; see GET /v1/models.",
  },
  "model-provider-not-configured": {
    status: 503,
    title: "The model's provider is not configured",
    suggestion: "Add a key of your own (POST /v1/provider-keys), use another model, or tell the operator.",
  },
  "model-provider-not-found": {
    status: 404,
    title: "No such provider",
    suggestion: "See GET /v1/llm/providers.",
  },
  "model-provider-incomplete": {
    status: 422,
    title: "The provider cannot be reached by what is known of it",
    suggestion: "Name the base URL of a provider that has none of its own.",
  },
  "model-route-invalid": {
    status: 422,
    title: "The model's routes cannot be followed",
    suggestion: "Name providers of GET /v1/admin/providers and models that exist.",
  },
  "model-fallback-cyclic": {
    status: 422,
    title: "The fallbacks lead back to the model",
    suggestion: "Remove one of the models from the chain.",
  },
  "model-limit-reached": {
    status: 409,
    title: "Too many entries",
    suggestion: "Remove entries that are not used.",
  },
  "price-in-the-past": {
    status: 422,
    title: "A price cannot take effect in the past",
    suggestion: "What was charged stays charged: name a time that is still to come, or none.",
  },
  "response-not-found": {
    status: 404,
    title: "No such response",
    suggestion: "Responses are kept for 30 days, unless they were asked for with store: false.",
  },
  "previous-response-not-found": {
    status: 400,
    title: "No such previous response",
    suggestion: "Name a response that was kept, or send the whole conversation as input.",
  },
  "provider-key-not-found": {
    status: 404,
    title: "No such provider key",
    suggestion: "See GET /v1/provider-keys.",
  },
  "provider-key-invalid": {
    status: 422,
    title: "The provider does not accept the key",
    suggestion: "Copy the key from the provider's console once more, and see that it is for this provider.",
  },
  "provider-key-unchecked": {
    status: 503,
    title: "The key could not be checked",
    suggestion: "The provider did not answer; try again later.",
  },
  "provider-key-exists": {
    status: 409,
    title: "The workspace has this key already",
    suggestion: "Change the one that is there with PATCH /v1/provider-keys/{id}.",
  },
  "provider-key-limit-reached": {
    status: 409,
    title: "Too many provider keys",
    suggestion: "Delete keys that are not used.",
  },
} as const satisfies Record<string, ProblemKind>;
