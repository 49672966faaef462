/** /v1/users: accounts by the names of system B. */
import { endpoint, rawEndpoint, Reply } from "#core/endpoint";
import { deleteOwnAccount } from "../deletion.ts";
import { exportAccount } from "../export.ts";
import { regenerateDefaultKey, showDefaultKey } from "../default-key.ts";
import { deviceHeaders, readDeviceId } from "../device.ts";
import { changePassword } from "../passwords.ts";
import * as profile from "../profile.ts";
import { registerWithKey } from "../registration.ts";
import { doneShape } from "../code-shapes.ts";
import { loginBody } from "../shapes.ts";
import { signOut } from "../sessions.ts";
import { signInProblems } from "./problems.ts";
import { signIn, type SignedInUser } from "../sign-in.ts";
import {
  defaultKeyShape,
  deleteAccountBody,
  fullProfileBody,
  fullProfileChangedShape,
  fullProfileShape,
  fullRegisterBody,
  fullRegisteredShape,
  userLoginShape,
  userPasswordBody,
} from "../user-shapes.ts";

const keyProblems = [
  "permission-denied",
  "email-not-verified",
  "scope-not-grantable",
  "api-key-limit-reached",
  "user-not-found",
] as const;

export const userRoutes = [
  endpoint({
    name: "registerUser",
    method: "post",
    path: "/v1/users/register",
    summary: "Create an account, with an API key unless the address has to be verified",
    access: "public",
    limit: "register",
    body: fullRegisterBody,
    returns: fullRegisteredShape,
    status: 201,
    problems: [
      "email-taken",
      "username-taken",
      "password-too-common",
      "sign-up-closed",
      "server-owned-member",
      "hashing-busy",
    ],
    handle: (ctx, { body }) => registerWithKey(ctx, body),
  }),
  endpoint({
    name: "loginUser",
    method: "post",
    path: "/v1/users/login",
    summary: "Sign in with a password for an opaque session of a day, renewable for thirty",
    access: "public",
    body: loginBody,
    acceptsForm: true,
    returns: userLoginShape,
    problems: signInProblems,
    handle: async (ctx, { body, request }) => {
      const deviceId = readDeviceId(request);
      const signedIn = await signIn(ctx, { ...body, sessionKind: "session-token", deviceId });
      return new Reply(toUserSession(signedIn), { headers: deviceHeaders(signedIn.deviceId) });
    },
  }),
  endpoint({
    name: "logoutUser",
    method: "post",
    path: "/v1/users/logout",
    summary: "End this session",
    access: "session",
    returns: doneShape,
    handle: async (ctx) => {
      await signOut(ctx);
      return { success: true as const, message: "Signed out." };
    },
  }),
  endpoint({
    name: "getUserProfile",
    method: "get",
    path: "/v1/users/profile",
    summary: "The whole profile, with credits, limits and allowed prompt styles",
    access: "signed-in",
    returns: fullProfileShape,
    problems: ["user-not-found"],
    handle: (ctx) => profile.fullProfile(ctx),
  }),
  endpoint({
    name: "changeUserProfile",
    method: "put",
    path: "/v1/users/profile",
    summary: "Change name, about_me or hobbies",
    access: "session",
    body: fullProfileBody,
    returns: fullProfileChangedShape,
    problems: ["user-not-found", "server-owned-member"],
    handle: (ctx, { body }) => profile.changeFullProfile(ctx, body),
  }),
  endpoint({
    name: "getUserApiKey",
    method: "get",
    path: "/v1/users/api-key",
    summary: "The person's own API key: made and shown at the first call, afterwards its first characters",
    access: "session",
    homeOnly: true,
    returns: defaultKeyShape,
    problems: keyProblems,
    handle: (ctx) => showDefaultKey(ctx),
  }),
  endpoint({
    name: "regenerateUserApiKey",
    method: "post",
    path: "/v1/users/api-key/regenerate",
    summary: "Make a new key in place of the person's own one",
    access: "session",
    homeOnly: true,
    returns: defaultKeyShape,
    problems: keyProblems,
    handle: (ctx) => regenerateDefaultKey(ctx),
  }),
  endpoint({
    name: "changeUserPassword",
    method: "put",
    path: "/v1/users/password",
    summary: "Change the password and end all other sessions",
    access: "session",
    body: userPasswordBody,
    returns: doneShape,
    problems: [
      "password-wrong",
      "sign-in-locked",
      "password-too-common",
      "hashing-busy",
      "server-owned-member",
      "user-not-found",
    ],
    handle: (ctx, { body }) =>
      changePassword(ctx, {
        currentPassword: body.current_password ?? body.currentPassword ?? "",
        newPassword: body.new_password ?? body.newPassword ?? "",
      }),
  }),
  endpoint({
    name: "deleteAccount",
    method: "delete",
    path: "/v1/users/account",
    summary: "Delete the account with its own workspaces, sessions and keys",
    description: "Files go after the retention time. Id, reason, dates and a keyed hash of the address are kept.",
    access: "session",
    body: deleteAccountBody,
    returns: doneShape,
    problems: [
      "password-wrong",
      "sign-in-locked",
      "hashing-busy",
      "sole-owner",
      "last-superadmin",
      "user-not-found",
      "server-owned-member",
    ],
    handle: (ctx, { body }) => deleteOwnAccount(ctx, body),
  }),
  rawEndpoint({
    name: "exportAccount",
    method: "get",
    path: "/v1/users/me/export",
    summary: "Everything about the person, as one JSON document",
    access: "session",
    homeOnly: true,
    problems: ["user-not-found", "rate-limited"],
    produces: {
      "application/json":
        "Profile, sessions, keys, files, conversions, jobs, notices and acts; no list is longer than 20,000.",
    },
    handle: (ctx) => exportAccount(ctx),
  }),
];

function toUserSession({ user, plan, tokens }: SignedInUser) {
  const { session_token = "", refresh_token = "", expires_at = "", refresh_expires_at = "" } = tokens;
  return {
    success: true as const,
    message: "Signed in.",
    user: {
      id: user.id,
      username: user.username,
      name: user.name,
      email: user.email,
      user_type: user.userType,
      subscription_plan: plan,
      is_verified: user.emailVerifiedAt !== null,
    },
    session: { session_token, refresh_token, expires_at, refresh_expires_at },
  };
}
