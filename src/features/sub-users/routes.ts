/** /v1/sub-users. Reports come before single sub-users: their names would be taken for ids otherwise. */
import { invitationRoutes } from "./routes/invitations.ts";
import { reportRoutes } from "./routes/reports.ts";
import { subUserRoutes } from "./routes/sub-users.ts";

export const routes = [...reportRoutes, ...invitationRoutes, ...subUserRoutes];
