/** All operations of this feature. */
import { totpRoutes } from "./totp-routes.ts";

export const routes = [...totpRoutes];
