/** All that workspaces answer. */
import { invitationRoutes } from "./routes/invitations.ts";
import { memberRoutes } from "./routes/members.ts";
import { workspaceRoutes } from "./routes/workspaces.ts";

export const routes = [...workspaceRoutes, ...memberRoutes, ...invitationRoutes];
