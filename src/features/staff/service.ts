/** What other features ask of staff. */
export { promptOf } from "./prompts.ts";
export { type PromptStyle, promptStyles } from "./default-prompts.ts";
