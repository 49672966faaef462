/** /v1/auth/totp: the authenticator app of the signed-in person. */
import { endpoint } from "#core/endpoint";
import { proofBody, recentProofProblems } from "./proof-shapes.ts";
import * as totp from "./totp.ts";
import { recoveryCodesShape, totpOfferShape, totpProofBody, totpStateShape, totpVerifyBody } from "./totp-shapes.ts";

const proofProblems = [
  "totp-inactive",
  "password-wrong",
  "sign-in-locked",
  "hashing-busy",
  "second-factor-wrong",
  "second-factor-locked",
] as const;

export const totpRoutes = [
  endpoint({
    name: "enrollTotp",
    method: "post",
    path: "/v1/auth/totp/enroll",
    summary: "Get a secret for an authenticator app",
    description:
      "A session alone is not enough: send the password or, without one, have signed in within 10 minutes. Nothing changes until POST /v1/auth/totp/verify was given a code of it. A second call replaces the secret.",
    access: "session",
    body: proofBody,
    bodyOptional: true,
    returns: totpOfferShape,
    problems: ["totp-active", "user-not-found", ...recentProofProblems],
    handle: (ctx, { body }) => totp.enroll(ctx, body.password),
  }),
  endpoint({
    name: "verifyTotp",
    method: "post",
    path: "/v1/auth/totp/verify",
    summary: "Activate the authenticator app with one of its codes",
    description: "From then on every sign-in by password or provider asks for a code, or a recovery code.",
    access: "session",
    body: totpVerifyBody,
    returns: totpStateShape,
    problems: ["totp-not-offered", "totp-active", "second-factor-wrong", "second-factor-locked"],
    handle: (ctx, { body }) => totp.activate(ctx, body.code),
  }),
  endpoint({
    name: "deleteTotp",
    method: "delete",
    path: "/v1/auth/totp",
    summary: "Remove the authenticator app and its recovery codes",
    access: "session",
    body: totpProofBody,
    problems: proofProblems,
    handle: (ctx, { body }) => totp.remove(ctx, body),
  }),
  endpoint({
    name: "makeRecoveryCodes",
    method: "post",
    path: "/v1/auth/totp/recovery-codes",
    summary: "Get ten new recovery codes; older ones stop working",
    access: "session",
    body: totpProofBody,
    returns: recoveryCodesShape,
    problems: proofProblems,
    handle: (ctx, { body }) => totp.renewRecoveryCodes(ctx, body),
  }),
];
