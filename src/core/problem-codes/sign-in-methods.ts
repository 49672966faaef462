/** Codes of OAuth, device authorization, one-time codes, second factors and passkeys. */
import type { ProblemKind } from "../problem-kind.ts";

export const signInMethodProblems = {
  "sign-in-state-invalid": {
    status: 400,
    title: "The sign-in was not started here",
    suggestion: "Start it again; it has to end within 10 minutes in the browser that began it.",
  },
} as const satisfies Record<string, ProblemKind>;
