/** Paths of prompts in system B. */
import type { Alias } from "../legacy-paths.ts";

export const prompts: Alias[] = [
  { system: "B", method: "POST", from: "/v1/prompt-legacy/completions", to: "/v1/prompt/completions" },
];
