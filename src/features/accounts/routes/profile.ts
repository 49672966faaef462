/** What a person changes about the own account. */
import { endpoint } from "#core/endpoint";
import { Problem } from "#core/problem";
import { doneShape } from "../code-shapes.ts";
import { changePassword } from "../passwords.ts";
import { changeProfile, me } from "../profile.ts";
import { changePasswordBody, meShape, ownQuery, profileBody } from "../shapes.ts";

export const profileRoutes = [
  endpoint({
    name: "getProfile",
    method: "get",
    path: "/v1/users/me",
    summary: "The signed-in person's profile",
    access: "signed-in",
    query: ownQuery,
    returns: meShape,
    problems: ["user-not-found"],
    handle: (ctx, { query }) => {
      if (query.userId !== undefined && query.userId !== ctx.userId) throw new Problem("user-not-found");
      return me(ctx);
    },
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
    handle: (ctx, { body }) => changeProfile(ctx, body),
  }),
  endpoint({
    name: "changePassword",
    method: "post",
    path: "/v1/auth/change-password",
    summary: "Change the password and end all other sessions, or all",
    access: "session",
    body: changePasswordBody,
    returns: doneShape,
    problems: [
      "password-wrong",
      "sign-in-locked",
      "password-too-common",
      "hashing-busy",
      "server-owned-member",
      "user-not-found",
    ],
    handle: (ctx, { body }) => changePassword(ctx, body),
  }),
];
