/** Paths of workspaces, organizations and sub-users in systems C and D. */
import type { Alias } from "../legacy-paths.ts";

export const workspaces: Alias[] = [];
