/** Mailed codes: signing in without a password, setting a new one, proving an address and changing it. */
import { endpoint, Reply } from "#core/endpoint";
import * as asked from "../asked-codes.ts";
import {
  addressBody,
  askedShape,
  codeSignInBody,
  doneShape,
  emailChangeBody,
  emailChangedShape,
  emailConfirmBody,
  emailStatusShape,
  otpBody,
  resetBody,
  sentShape,
} from "../code-shapes.ts";
import { deviceHeaders, readDeviceId } from "../device.ts";
import * as email from "../email.ts";
import { resetPassword } from "../passwords.ts";
import { toUser } from "../people.ts";
import { signedInShape } from "../shapes.ts";

const limitProblems = ["code-sent-recently", "code-limit-reached"] as const;
const sendProblems = [
  "email-verification-disabled",
  "email-already-verified",
  "user-not-found",
  ...limitProblems,
] as const;

export const codeRoutes = [
  endpoint({
    name: "askSignInCode",
    method: "post",
    path: "/v1/auth/email-code",
    summary: "Have a code mailed to sign in with",
    description: "Known and unknown addresses are answered alike. Works while the password is locked.",
    access: "public",
    limit: "mailed-code",
    body: addressBody,
    returns: askedShape,
    problems: [...limitProblems, "rate-limited", "server-owned-member"],
    handle: (ctx, { body, request }) => asked.askSignInCode(ctx, body.email, readDeviceId(request)),
  }),
  endpoint({
    name: "signInByCode",
    method: "post",
    path: "/v1/auth/email-code/verify",
    summary: "Sign in with a mailed code",
    description: "A code is good for ten minutes and five tries.",
    access: "public",
    limit: "open",
    body: codeSignInBody,
    returns: signedInShape,
    problems: ["code-wrong", "second-factor-required", "rate-limited", "server-owned-member"],
    handle: async (ctx, { body, request }) => {
      const given = { ...body, deviceId: readDeviceId(request) };
      const { user, plan, tokens, deviceId } = await asked.signInByCode(ctx, given);
      return new Reply({ ...tokens, user: toUser(user, plan) }, { headers: deviceHeaders(deviceId) });
    },
  }),
  endpoint({
    name: "forgotPassword",
    method: "post",
    path: "/v1/auth/forgot-password",
    summary: "Have a code mailed to set a new password with",
    description: "Known and unknown addresses are answered alike.",
    access: "public",
    limit: "mailed-code",
    body: addressBody,
    returns: askedShape,
    problems: [...limitProblems, "rate-limited", "server-owned-member"],
    handle: (ctx, { body }) => asked.askResetCode(ctx, body.email),
  }),
  endpoint({
    name: "resetPassword",
    method: "post",
    path: "/v1/auth/reset-password",
    summary: "Set a new password by a mailed code, and end all sessions",
    access: "public",
    limit: "open",
    body: resetBody,
    returns: doneShape,
    problems: ["code-wrong", "password-too-common", "hashing-busy", "rate-limited", "server-owned-member"],
    handle: (ctx, { body }) => {
      const newPassword = body.newPassword ?? body.new_password ?? body.password ?? "";
      return resetPassword(ctx, { email: body.email, code: body.code, token: body.token, newPassword });
    },
  }),
  endpoint({
    name: "sendVerification",
    method: "post",
    path: "/v1/email/send-verification",
    summary: "Have a code mailed that proves the address",
    access: "session",
    returns: sentShape,
    problems: sendProblems,
    handle: (ctx) => email.sendVerification(ctx),
  }),
  endpoint({
    name: "resendVerification",
    method: "post",
    path: "/v1/email/resend",
    summary: "Have a new code mailed; the one before ends",
    access: "session",
    returns: sentShape,
    problems: sendProblems,
    handle: (ctx) => email.sendVerification(ctx),
  }),
  endpoint({
    name: "verifyEmail",
    method: "post",
    path: "/v1/email/verify",
    summary: "Prove the address with the mailed code",
    access: "session",
    body: otpBody,
    returns: doneShape,
    problems: [
      "email-verification-disabled",
      "email-already-verified",
      "code-wrong",
      "user-not-found",
      "server-owned-member",
    ],
    handle: (ctx, { body }) => email.verifyEmail(ctx, body.otp_code ?? body.code ?? ""),
  }),
  endpoint({
    name: "emailStatus",
    method: "get",
    path: "/v1/email/status",
    summary: "Is the address verified, and does it have to be?",
    access: "session",
    returns: emailStatusShape,
    problems: ["user-not-found"],
    handle: (ctx) => email.emailStatus(ctx),
  }),
  endpoint({
    name: "startEmailChange",
    method: "put",
    path: "/v1/users/email",
    summary: "Ask for another address; codes go to the old and the new one",
    access: "session",
    body: emailChangeBody,
    returns: sentShape,
    problems: [
      "password-wrong",
      "sign-in-locked",
      "email-unchanged",
      "hashing-busy",
      "user-not-found",
      "server-owned-member",
      ...limitProblems,
    ],
    handle: (ctx, { body }) =>
      email.startEmailChange(ctx, {
        newEmail: body.new_email ?? body.newEmail ?? "",
        currentPassword: body.current_password ?? body.currentPassword ?? "",
      }),
  }),
  endpoint({
    name: "confirmEmailChange",
    method: "post",
    path: "/v1/users/email/confirm",
    summary: "Change the address by the codes from both mails",
    access: "session",
    body: emailConfirmBody,
    returns: emailChangedShape,
    problems: ["code-wrong", "email-taken", "user-not-found"],
    handle: (ctx, { body }) => email.confirmEmailChange(ctx, body),
  }),
];
