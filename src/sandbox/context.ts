/** What a simulated company is handed. It reaches nothing but its own tables and the product's public address. */
import type { Ctx } from "#core/context";

export interface SandboxCtx extends Pick<Ctx, "db" | "now" | "random" | "settings" | "log" | "later"> {
  /** Sends a request to the product as the network would, without the network. */
  deliver(request: Request): Promise<Response>;
}
