/** Registering, signing in and out, and the keys that access tokens are checked with. */
import { endpoint, Reply } from "#core/endpoint";
import { Problem } from "#core/problem";
import { publicJwk } from "../access-token.ts";
import { deviceHeaders, readDeviceId } from "../device.ts";
import { toUser } from "../people.ts";
import { me } from "../profile.ts";
import { register } from "../registration.ts";
import {
  jwksShape,
  loginBody,
  meShape,
  messageShape,
  refreshBody,
  registerBody,
  registeredShape,
  signedInShape,
  tokenShape,
} from "../shapes.ts";
import * as sessions from "../sessions.ts";
import * as signIn from "../sign-in.ts";
import { signInProblems } from "./problems.ts";

export const signInRoutes = [
  endpoint({
    name: "register",
    method: "post",
    path: "/v1/auth/register",
    summary: "Create an account with its personal workspace",
    access: "public",
    limit: "register",
    body: registerBody,
    returns: registeredShape,
    status: 201,
    problems: [
      "email-taken",
      "username-taken",
      "password-too-common",
      "sign-up-closed",
      "server-owned-member",
      "hashing-busy",
    ],
    handle: (ctx, { body }) => register(ctx, body),
  }),
  endpoint({
    name: "login",
    method: "post",
    path: "/v1/auth/login",
    summary: "Sign in with a password",
    description: "Accepts JSON or a form. Five wrong passwords lock password sign-in for the address for an hour.",
    access: "public",
    body: loginBody,
    acceptsForm: true,
    returns: signedInShape,
    problems: [...signInProblems, "staff-only"],
    handle: async (ctx, { body, request }) => {
      const { user, plan, tokens, deviceId } = await signIn.signIn(ctx, { ...body, deviceId: readDeviceId(request) });
      return new Reply({ ...tokens, user: toUser(user, plan) }, { headers: deviceHeaders(deviceId) });
    },
  }),
  endpoint({
    name: "refresh",
    method: "post",
    path: "/v1/auth/refresh",
    summary: "Exchange a refresh token for its successor and a new access token",
    description:
      "Parallel calls with one token get the same successor for 30 seconds; a later replay ends the session. An opaque session sends no body and is extended.",
    access: "public",
    limit: "open",
    body: refreshBody,
    bodyOptional: true,
    returns: tokenShape,
    problems: ["refresh-token-invalid", "refresh-token-reused", "server-owned-member"],
    handle: (ctx, { body, request }) => {
      const credential = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? null;
      return sessions.refresh(ctx, { refreshToken: body.refresh_token ?? body.refreshToken, credential });
    },
  }),
  endpoint({
    name: "logout",
    method: "post",
    path: "/v1/auth/logout",
    summary: "End the session",
    access: "session",
    handle: (ctx) => sessions.signOut(ctx),
  }),
  endpoint({
    name: "me",
    method: "get",
    path: "/v1/auth/me",
    summary: "Who is signed in, and in which workspace",
    access: "signed-in",
    returns: meShape,
    problems: ["user-not-found"],
    handle: (ctx) => me(ctx),
  }),
  endpoint({
    name: "googleSignIn",
    method: "post",
    path: "/v1/auth/google",
    summary: "Gone: it trusted a profile that the client sent",
    access: "public",
    limit: "open",
    returns: messageShape,
    problems: ["use-oauth"],
    handle: () => {
      throw new Problem("use-oauth");
    },
  }),
  endpoint({
    name: "jwks",
    method: "get",
    path: "/.well-known/jwks.json",
    summary: "The public keys of access tokens",
    access: "public",
    returns: jwksShape,
    handle: (ctx) => ({ keys: ctx.settings.jwtKeys.map(publicJwk) }),
  }),
];
