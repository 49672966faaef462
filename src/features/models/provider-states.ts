/** How the operator's providers do, for the page that tells how the product does. Shows no address, no key and no figures. */
import { lastSeenByProvider } from "./health.ts";
import { type OverridesCtx, overridesOf } from "./overrides.ts";
import { providerNamesOf } from "./providers.ts";
import { operatorReach } from "./routing.ts";

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

/** One read, no write, and nobody outside is called. */
export async function providerStates(ctx: OverridesCtx) {
  const [overrides, lastSeen] = await Promise.all([overridesOf(ctx), lastSeenByProvider(ctx)]);
  return providerNamesOf(ctx, overrides).map((name) => {
    const configured = operatorReach(ctx, overrides, name) !== null;
    const { state, lastSuccessAt, lastFailureAt } = lastSeen(name);
    return {
      name,
      configured,
      state: configured ? state : ("not-configured" as const),
      lastSuccessAt: iso(lastSuccessAt),
      lastFailureAt: iso(lastFailureAt),
    };
  });
}
