/** Whether a request is for trying things out: then it reaches the simulated companies alone, and a live one never does. */
import type { Ctx } from "./context.ts";

export function isTestMode({ actor }: Pick<Ctx, "actor">): boolean {
  return actor.kind === "api-key" && actor.mode === "test";
}
