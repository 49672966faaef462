/** What other features ask of staff. */
export { promptOf } from "./prompts.ts";
