/** What other features ask of the gateway: the walk of a model request, under the same rules and budgets as everybody's. */
export type { PromptFacts } from "./note.ts";
export { operations } from "./operations.ts";
export { serveModel } from "./serve.ts";
export { openCircuits } from "./try-targets.ts";
