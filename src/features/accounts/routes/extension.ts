/** What the editor extension of system C asks for, and the preferences that it keeps here. */
import { endpoint, Reply } from "#core/endpoint";
import { deviceHeaders, readDeviceId } from "../device.ts";
import { extensionConfig, extensionSignIn } from "../extension.ts";
import { changePreferences, readPreferences } from "../preferences.ts";
import { signIn } from "../sign-in.ts";
import { loginBody } from "../shapes.ts";
import { extensionConfigShape, extensionLoginShape, preferencesBody, preferencesShape } from "../user-shapes.ts";
import { signInProblems } from "./problems.ts";

export const extensionRoutes = [
  endpoint({
    name: "loginExtension",
    method: "post",
    path: "/v1/auth/login-json",
    summary: "Sign in with a password, with a gateway key of the session",
    access: "public",
    body: loginBody,
    returns: extensionLoginShape,
    problems: signInProblems,
    handle: async (ctx, { body, request }) => {
      const deviceId = readDeviceId(request);
      const signedIn = await signIn(ctx, { ...body, sessionKind: "access-token", deviceId, withSessionKey: true });
      return new Reply(await extensionSignIn(ctx, signedIn), { headers: deviceHeaders(signedIn.deviceId) });
    },
  }),
  endpoint({
    name: "getExtensionConfig",
    method: "get",
    path: "/v1/auth/vscode-config",
    summary: "The gateway, the session's key for it, and how models are routed",
    access: "session",
    returns: extensionConfigShape,
    problems: ["user-not-found"],
    handle: (ctx) => extensionConfig(ctx),
  }),
  endpoint({
    name: "getPreferences",
    method: "get",
    path: "/v1/users/preferences",
    summary: "How the person wants the product to be",
    access: "signed-in",
    returns: preferencesShape,
    problems: ["user-not-found"],
    handle: (ctx) => readPreferences(ctx),
  }),
  endpoint({
    name: "changePreferences",
    method: "put",
    path: "/v1/users/preferences",
    summary: "Change preferences; what is left out stays",
    access: "session",
    body: preferencesBody,
    returns: preferencesShape,
    problems: ["user-not-found"],
    handle: (ctx, { body }) => changePreferences(ctx, body),
  }),
];
