/** Codes of OAuth, device authorization, one-time codes, second factors and passkeys. */
import type { ProblemKind } from "../problem-kind.ts";

export const signInMethodProblems = {
  "sign-in-state-invalid": {
    status: 400,
    title: "The sign-in was not started here",
    suggestion: "Start it again; it has to end within 10 minutes in the browser that began it.",
  },
  "second-factor-required": {
    status: 401,
    title: "A second factor is required",
    suggestion: "Send ticket and totp_code (or recovery_code) to POST /v1/auth/login within 5 minutes.",
  },
  "second-factor-wrong": {
    status: 401,
    title: "The code is wrong or was used before",
    suggestion: "Use the code that the app shows now, or another recovery code.",
  },
  "second-factor-locked": {
    status: 423,
    title: "Too many wrong codes",
    suggestion: "Wait for retryAfter seconds, or use a recovery code or a passkey.",
  },
  "sign-in-ticket-invalid": {
    status: 401,
    title: "The ticket is not valid any more",
    suggestion: "Begin the sign-in again.",
  },
  "totp-active": {
    status: 409,
    title: "An authenticator app is active",
    suggestion: "Remove it first: DELETE /v1/auth/totp.",
  },
  "totp-inactive": {
    status: 409,
    title: "No authenticator app is active",
    suggestion: "Set one up: POST /v1/auth/totp/enroll, then POST /v1/auth/totp/verify.",
  },
  "totp-not-offered": {
    status: 409,
    title: "No authenticator app waits for its first code",
    suggestion: "Call POST /v1/auth/totp/enroll first.",
  },
} as const satisfies Record<string, ProblemKind>;
