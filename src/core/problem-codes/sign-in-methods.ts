/** Codes of OAuth, device authorization, one-time codes, second factors and passkeys. */
import type { ProblemKind } from "../problem-kind.ts";

export const signInMethodProblems = {
  "sign-in-state-invalid": {
    status: 400,
    title: "The sign-in was not started here",
    suggestion: "Start it again; it has to end within 10 minutes in the browser that began it.",
  },
  "sign-in-provider-not-found": {
    status: 404,
    title: "No such sign-in provider",
    suggestion: "See GET /v1/auth/providers.",
  },
  "redirect-uri-not-allowed": {
    status: 422,
    title: "The return address is not allowed",
    suggestion:
      "Use a page of an origin in ALLOWED_ORIGINS, vscode://publisher.extension/... or http://127.0.0.1:port/.",
  },
  "code-challenge-required": {
    status: 422,
    title: "A return address needs a code challenge",
    suggestion: "Send code_challenge: the base64url of the SHA-256 of your code_verifier (RFC 7636, S256).",
  },
  "sign-in-refused": {
    status: 400,
    title: "The provider did not sign the person in",
    suggestion: "Start again and consent, or sign in another way.",
  },
  "sign-in-provider-failed": {
    status: 503,
    title: "The provider did not answer as it should",
    suggestion: "Try again later, or sign in another way.",
  },
  "provider-email-unverified": {
    status: 403,
    title: "The provider has not verified the e-mail address",
    suggestion: "Verify it there, or register here with a password and link the provider afterwards.",
  },
  "link-required": {
    status: 409,
    title: "The e-mail address has an account here",
    suggestion:
      "Sign in to it another way, then link: POST /v1/auth/oauth/initiate with link_ticket, redirect_uri and code_challenge.",
  },
  "identity-taken": {
    status: 409,
    title: "The account elsewhere is linked to another person here",
    suggestion: "Remove it there first: DELETE /v1/auth/identities/{id}.",
  },
  "identity-not-expected": {
    status: 409,
    title: "Another account elsewhere came back",
    suggestion: "Choose the account that you began with.",
  },
  "identity-not-found": { status: 404, title: "No such identity", suggestion: "See GET /v1/auth/identities." },
  "last-sign-in-method": {
    status: 409,
    title: "It is the last way to sign in",
    suggestion: "Set a password first: POST /v1/auth/forgot-password.",
  },
  "device-code-not-found": {
    status: 404,
    title: "No device waits with this code",
    suggestion: "Check the code, or start again on the device: a code works for 10 minutes.",
  },
  "recent-proof-required": {
    status: 403,
    title: "Prove once more who you are",
    suggestion: "Send your password; an account without one signs in again and repeats this within freshSeconds.",
  },
  "passkey-challenge-invalid": {
    status: 400,
    title: "The passkey answers no open question",
    suggestion: "Ask for new options: each works once, for 5 minutes.",
  },
  "passkey-refused": {
    status: 401,
    title: "The passkey was not accepted",
    suggestion: "Use a passkey of this site, with its PIN or biometrics, or sign in another way.",
  },
  "passkey-taken": { status: 409, title: "The passkey is added already", suggestion: "Use another authenticator." },
  "passkey-limit-reached": {
    status: 409,
    title: "Too many passkeys",
    suggestion: "Remove one that is not used: at most 20 a person.",
  },
  "passkey-not-found": { status: 404, title: "No such passkey", suggestion: "See GET /v1/auth/passkeys." },
  "human-check-failed": {
    status: 403,
    title: "A person has to send this form",
    suggestion: "Send a new Turnstile token as turnstileToken or in X-Turnstile-Token.",
  },
  "human-check-unavailable": {
    status: 503,
    title: "Turnstile cannot be reached",
    suggestion: "Try again after Retry-After seconds.",
  },
  "return-code-invalid": {
    status: 400,
    title: "The code does not work",
    suggestion: "It works once, for two minutes, with its own code_verifier: start the sign-in again.",
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
