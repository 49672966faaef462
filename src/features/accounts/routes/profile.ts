/** What a person changes about the own account. */
import { endpoint } from "#core/endpoint";
import * as service from "../service.ts";
import { changePasswordBody, meShape, messageShape, profileBody } from "../shapes.ts";

export const profileRoutes = [
  endpoint({
    name: "getProfile",
    method: "get",
    path: "/v1/users/me",
    summary: "The signed-in person's profile",
    access: "signed-in",
    returns: meShape,
    problems: ["user-not-found"],
    handle: (ctx) => service.me(ctx),
  }),
  endpoint({
    name: "changeProfile",
    method: "put",
    path: "/v1/users/me",
    summary: "Change name or user name",
    access: "session",
    body: profileBody,
    returns: meShape,
    problems: ["username-taken", "server-owned-member", "user-not-found"],
    handle: (ctx, { body }) => service.changeProfile(ctx, body),
  }),
  endpoint({
    name: "changePassword",
    method: "post",
    path: "/v1/auth/change-password",
    summary: "Change the password and end all other sessions",
    access: "session",
    body: changePasswordBody,
    returns: messageShape,
    problems: [
      "password-wrong",
      "sign-in-locked",
      "password-too-common",
      "hashing-busy",
      "server-owned-member",
      "user-not-found",
    ],
    handle: (ctx, { body }) => service.changePassword(ctx, body),
  }),
];
