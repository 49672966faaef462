/** Codes of prompt styles, research and batches. */
import type { ProblemKind } from "../problem-kind.ts";

export const promptProblems = {
  "prompt-style-not-allowed": {
    status: 403,
    title: "The prompt style is not among yours",
    suggestion: "Use one of those that `allowed` names, or ask the operator for more.",
  },
  "prompt-level-not-allowed": {
    status: 403,
    title: "The level is above yours",
    suggestion: "Use the level that `allowed` ends with or a lower one, or ask the operator for a higher one.",
  },
  "batch-not-found": {
    status: 404,
    title: "No such batch",
    suggestion: "Batches are kept for 30 days; check the id and the workspace.",
  },
} as const satisfies Record<string, ProblemKind>;
