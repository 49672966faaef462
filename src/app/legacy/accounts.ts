/** Paths of accounts, sign-in and sessions in systems A to D. */
import type { Alias } from "../legacy-paths.ts";

const usersLegacy = (
  [
    ["POST", "register"],
    ["POST", "login"],
    ["POST", "logout"],
    ["GET", "profile"],
    ["PUT", "profile"],
    ["GET", "api-key"],
    ["POST", "api-key/regenerate"],
    ["PUT", "email"],
    ["PUT", "password"],
    ["DELETE", "account"],
  ] as const
).map(([method, name]): Alias => ({ system: "B", method, from: `/v1/users-legacy/${name}`, to: `/v1/users/${name}` }));

/** The editor extension's, at the root. */
const extension = (
  [
    ["POST", "/auth/register"],
    ["POST", "/auth/login"],
    ["POST", "/auth/login-json"],
    ["POST", "/auth/refresh"],
    ["GET", "/auth/me"],
    ["GET", "/auth/vscode-config"],
    ["POST", "/auth/forgot-password"],
    ["POST", "/auth/reset-password"],
    ["GET", "/users/me"],
    ["PUT", "/users/me"],
    ["GET", "/users/preferences"],
    ["PUT", "/users/preferences"],
  ] as const
).map(([method, path]): Alias => ({ system: "C", method, from: path, to: `/v1${path}` }));

export const accounts: Alias[] = [
  {
    system: "A",
    method: "POST",
    from: "/api/auth/register",
    to: "/v1/auth/register",
    body: "opaqueRegister",
    answer: "session",
  },
  {
    system: "A",
    method: "POST",
    from: "/api/auth/login",
    to: "/v1/auth/login",
    body: "opaqueLogin",
    answer: "session",
  },
  { system: "A", method: "POST", from: "/api/auth/google", to: "/v1/auth/google" },
  { system: "A", method: "GET", from: "/api/user/profile", to: "/v1/users/me", answer: "data" },
  { system: "A", method: "PUT", from: "/api/user/profile", to: "/v1/users/me", answer: "data" },
  { system: "A", method: "POST", from: "/api/user/change-password", to: "/v1/auth/change-password", answer: "success" },
  { system: "D", method: "GET", from: "/api/auth/me", to: "/v1/auth/me" },
  { system: "D", method: "POST", from: "/api/auth/logout", to: "/v1/auth/logout", answer: "success" },
  { system: "D", method: "POST", from: "/api/auth/refresh", to: "/v1/auth/refresh", answer: "session" },
  {
    system: "D",
    method: "PUT",
    from: "/api/auth/change-password",
    to: "/v1/auth/change-password",
    toMethod: "POST",
    body: "passwordChange",
    answer: "success",
  },
  { system: "D", method: "PUT", from: "/api/auth/profile", to: "/v1/users/me", answer: "data" },
  { system: "C", method: "GET", from: "/auth/providers", to: "/v1/auth/providers" },
  { system: "C", method: "POST", from: "/auth/oauth/initiate", to: "/v1/auth/oauth/initiate" },
  { system: "C", method: "GET", from: "/auth/:provider/login", to: "/v1/auth/:provider/login" },
  { system: "C", method: "GET", from: "/auth/:provider/callback", to: "/v1/auth/:provider/callback" },
  { system: "C", method: "POST", from: "/auth/token", to: "/v1/auth/token" },
  { system: "D", method: "POST", from: "/api/auth/password-reset", to: "/v1/auth/forgot-password", answer: "success" },
  {
    system: "D",
    method: "POST",
    from: "/api/auth/password-reset/confirm",
    to: "/v1/auth/reset-password",
    answer: "success",
  },
  {
    system: "D",
    method: "POST",
    from: "/api/auth/delete-account",
    to: "/v1/users/account",
    toMethod: "DELETE",
    answer: "success",
  },
  ...usersLegacy,
  { system: "B", method: "POST", from: "/v1/users-legacy/refresh", to: "/v1/auth/refresh", answer: "renewed" },
  ...extension,
  { system: "C", method: "POST", from: "/auth/signup", to: "/v1/auth/register" },
  { system: "C", method: "POST", from: "/auth/logout", to: "/v1/auth/logout", answer: "success" },
  { system: "C", method: "GET", from: "/users/:userId", to: "/v1/users/me?userId=:userId" },
];
