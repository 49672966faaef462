/** All operations of this feature. */
import { deviceRoutes } from "./device-routes.ts";
import { oauthRoutes } from "./oauth-routes.ts";
import { passkeyRoutes } from "./passkey-routes.ts";
import { totpRoutes } from "./totp-routes.ts";

export const routes = [...oauthRoutes, ...deviceRoutes, ...totpRoutes, ...passkeyRoutes];
