/** /v1/auth/device and the page /device. */
import { endpoint, rawEndpoint, Reply } from "#core/endpoint";
import { devicePage, deviceScript } from "./device-page.ts";
import * as shapes from "./device-shapes.ts";
import * as device from "./device.ts";

const descriptions: Record<device.DeviceError, string> = {
  authorization_pending: "The person has not decided yet.",
  slow_down: "Wait five seconds longer between two requests from now on.",
  expired_token: "The code has expired: start again.",
  access_denied: "The person refused.",
  invalid_grant: "The device code is unknown or was used.",
  invalid_request: "device_code is required.",
  unsupported_grant_type: "grant_type is urn:ietf:params:oauth:grant-type:device_code.",
};

export const deviceRoutes = [
  endpoint({
    name: "startDevice",
    method: "post",
    path: "/v1/auth/device/code",
    summary: "Ask for a code that signs a device in",
    description: "RFC 8628. Show the person user_code and verification_uri, and poll POST /v1/auth/device/token.",
    access: "public",
    limit: "register",
    body: shapes.deviceCodeBody,
    bodyOptional: true,
    acceptsForm: true,
    returns: shapes.deviceCodeShape,
    problems: ["unavailable"],
    handle: (ctx, { body }) => device.start(ctx, body.client_id),
  }),
  endpoint({
    name: "pollDevice",
    method: "post",
    path: "/v1/auth/device/token",
    summary: "Ask whether the person has approved the device",
    description:
      "Errors are those of RFC 8628 section 3.5 with status 400: authorization_pending, slow_down, expired_token, access_denied.",
    access: "public",
    limit: "open",
    body: shapes.deviceTokenBody,
    acceptsForm: true,
    returns: shapes.deviceTokenShape,
    handle: async (ctx, { body }) => {
      const end = await device.poll(ctx, { grantType: body.grant_type, deviceCode: body.device_code });
      if (end.error === undefined) return end.tokens;
      return new Reply({ error: end.error, error_description: descriptions[end.error] }, { status: 400 });
    },
  }),
  endpoint({
    name: "decideDevice",
    method: "post",
    path: "/v1/auth/device/approve",
    summary: "Approve or refuse a device by the code it shows",
    description: "People without a password approve within 10 minutes of a sign-in.",
    access: "session",
    body: shapes.deviceDecisionBody,
    returns: shapes.deviceDecidedShape,
    problems: ["device-code-not-found", "recent-proof-required", "user-not-found", "rate-limited"],
    handle: (ctx, { body }) => device.decide(ctx, body.user_code, body),
  }),
  rawEndpoint({
    name: "devicePage",
    method: "get",
    path: "/device",
    summary: "The page on which people approve a device",
    access: "public",
    limit: "open",
    produces: { "text/html": "A page for people." },
    handle: (ctx) => devicePage(ctx.settings.turnstile?.siteKey ?? null),
  }),
  rawEndpoint({
    name: "devicePageScript",
    method: "get",
    path: "/device/page.js",
    summary: "The script of that page",
    access: "public",
    limit: "open",
    produces: { "text/javascript": "A script." },
    handle: () => deviceScript(),
  }),
];
