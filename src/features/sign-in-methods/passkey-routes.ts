/** /v1/auth/passkeys. */
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from "@simplewebauthn/server";
import { endpoint } from "#core/endpoint";
import { toUser } from "#features/accounts/service";
import { signedInShape } from "#features/accounts/shapes";
import * as passkeys from "./passkeys.ts";
import { proofBody, recentProofProblems } from "./proof-shapes.ts";
import * as shapes from "./passkey-shapes.ts";

export const passkeyRoutes = [
  endpoint({
    name: "offerPasskey",
    method: "post",
    path: "/v1/auth/passkeys/register/options",
    summary: "Begin to add a passkey",
    description:
      "A session alone is not enough: send the password or, without one, have signed in within 10 minutes. The challenge is what the second call proves it by.",
    access: "session",
    body: proofBody,
    bodyOptional: true,
    returns: shapes.passkeyOptionsShape,
    problems: ["user-not-found", "passkey-limit-reached", ...recentProofProblems],
    handle: (ctx, { body, request }) => passkeys.offerRegistration(ctx, request, body.password),
  }),
  endpoint({
    name: "addPasskey",
    method: "post",
    path: "/v1/auth/passkeys/register/verify",
    summary: "Add the passkey that the browser made",
    access: "session",
    body: shapes.passkeyRegisterBody,
    returns: shapes.passkeyShape,
    status: 201,
    problems: ["passkey-challenge-invalid", "passkey-refused", "passkey-taken", "passkey-limit-reached"],
    handle: (ctx, { body }) => passkeys.register(ctx, body.credential as RegistrationResponseJSON, body.name),
  }),
  endpoint({
    name: "offerPasskeySignIn",
    method: "post",
    path: "/v1/auth/passkeys/login/options",
    summary: "Begin to sign in with a passkey",
    access: "public",
    limit: "register",
    returns: shapes.passkeyOptionsShape,
    handle: (ctx, { request }) => passkeys.offerSignIn(ctx, request),
  }),
  endpoint({
    name: "signInWithPasskey",
    method: "post",
    path: "/v1/auth/passkeys/login/verify",
    summary: "Sign in with the passkey that the browser used",
    description: "A passkey is two factors at once: no other is asked for, and a locked password does not matter.",
    access: "public",
    limit: "sign-in",
    body: shapes.passkeyLoginBody,
    returns: signedInShape,
    problems: ["passkey-challenge-invalid", "passkey-refused"],
    handle: async (ctx, { body }) => {
      const credential = body.credential as AuthenticationResponseJSON;
      const { user, plan, tokens } = await passkeys.signIn(ctx, credential, body.sessionKind);
      return { ...tokens, user: toUser(user, plan) };
    },
  }),
  endpoint({
    name: "listPasskeys",
    method: "get",
    path: "/v1/auth/passkeys",
    summary: "The signed-in person's passkeys",
    access: "session",
    returns: shapes.passkeysShape,
    handle: (ctx) => passkeys.list(ctx),
  }),
  endpoint({
    name: "deletePasskey",
    method: "delete",
    path: "/v1/auth/passkeys/{id}",
    summary: "Remove a passkey; the last way to sign in stays",
    access: "session",
    params: shapes.passkeyParams,
    problems: ["passkey-not-found", "last-sign-in-method"],
    handle: (ctx, { params }) => passkeys.remove(ctx, params.id),
  }),
];
