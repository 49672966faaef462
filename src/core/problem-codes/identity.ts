/** Codes of accounts, sessions, workspaces and API keys. */
import type { ProblemKind } from "../problem-kind.ts";

export const identityProblems = {
  "credentials-required": {
    status: 401,
    title: "Sign-in required",
    suggestion: "Send Authorization: Bearer with an access token or API key, or X-API-Key.",
  },
  "credentials-invalid": { status: 401, title: "Invalid credential", suggestion: "Sign in again or use another key." },
  "credentials-expired": {
    status: 401,
    title: "Expired credential",
    suggestion: "Refresh the access token or sign in again.",
  },
  "ambiguous-credentials": { status: 401, title: "Two different credentials", suggestion: "Send one credential only." },
  "sign-in-failed": {
    status: 401,
    title: "E-mail address or password is wrong",
    suggestion: "Check both and try again.",
  },
  "sign-in-locked": { status: 423, title: "Password sign-in is locked", suggestion: "Wait for retryAfter seconds." },
  "refresh-token-invalid": { status: 401, title: "Invalid refresh token", suggestion: "Sign in again." },
  "refresh-token-reused": {
    status: 401,
    title: "Refresh token was used before",
    suggestion: "The session was ended as a precaution: sign in again.",
  },
  "hashing-busy": {
    status: 503,
    title: "Too many sign-ins at once",
    suggestion: "Try again after Retry-After seconds.",
  },
  "sign-up-closed": { status: 403, title: "Sign-up is closed", suggestion: "Ask an administrator for an invitation." },
  "email-taken": { status: 409, title: "The e-mail address has an account", suggestion: "Sign in instead." },
  "email-unchanged": { status: 422, title: "That is the address already", suggestion: "Name another address." },
  "username-taken": { status: 409, title: "The user name is taken", suggestion: "Choose another." },
  "password-wrong": { status: 422, title: "The current password is wrong", suggestion: "Check it and try again." },
  "password-too-common": {
    status: 422,
    title: "The password is too common",
    suggestion: "Choose one that is not on the lists of common passwords.",
  },
  "permission-denied": {
    status: 403,
    title: "Not permitted",
    suggestion: "Ask for the permission named in requiredPermission.",
  },
  "session-required": {
    status: 403,
    title: "Only for signed-in people",
    suggestion: "Sign in; an API key cannot do this.",
  },
  "workspace-not-found": {
    status: 404,
    title: "No such workspace",
    suggestion: "Use a workspace that you are a member of.",
  },
  "user-not-found": { status: 404, title: "No such user", suggestion: "Use your own id." },
  "api-key-not-found": { status: 404, title: "No such API key", suggestion: "See GET /v1/api-keys." },
  "scope-not-grantable": {
    status: 422,
    title: "Scope exceeds your own permissions",
    suggestion: "Grant only what you may do yourself.",
  },
  "api-key-limit-reached": { status: 409, title: "Too many API keys", suggestion: "Delete keys that are not used." },
  "session-not-found": { status: 404, title: "No such session", suggestion: "See GET /v1/auth/sessions." },
  "sole-owner": {
    status: 409,
    title: "You are the only owner of a workspace with other members",
    suggestion: "Transfer the workspaces named in workspaces, or delete them first.",
  },
  "api-key-known": {
    status: 409,
    title: "The key is known already",
    suggestion: "Use it as it is, or delete the other one first.",
  },
  "api-key-rotating": {
    status: 409,
    title: "The key was rotated at the same time",
    suggestion: "Use the secret of the other rotation, or rotate again.",
  },
  "address-not-allowed": {
    status: 403,
    title: "The key may not be used from this address",
    suggestion: "Use it from an address of its list, or change the list.",
  },
  "scope-query-invalid": {
    status: 422,
    title: "The question about scopes cannot be read",
    suggestion: "Write scopes with and, or and parentheses: (files:read or files:write) and jobs:read.",
  },
  "use-oauth": {
    status: 410,
    title: "This sign-in is gone",
    suggestion: "It trusted what the client said. Begin at POST /v1/auth/oauth/initiate.",
  },
} as const satisfies Record<string, ProblemKind>;
