/** Answers the paths of older clients by the published operations, as `legacy-paths.ts` says. */
import type { Bindings } from "#core/env";
import { app } from "./http.ts";

export function fetchWithAliases(request: Request, env: Bindings, execution: ExecutionContext): Response | Promise<Response> {
  return app.fetch(request, env, execution);
}
