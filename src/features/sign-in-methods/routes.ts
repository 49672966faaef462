/** All operations of this feature. */
import { oauthRoutes } from "./oauth-routes.ts";
import { totpRoutes } from "./totp-routes.ts";

export const routes = [...oauthRoutes, ...totpRoutes];
