/** The search engine of a request: the configured one, and in test mode the simulated one. A live request never reaches the simulator by itself. */
import type { Settings } from "#core/env";
import type { Outbound } from "#core/outbound";
import { sandboxBase } from "#core/sandbox-secrets";
import { makeBrave } from "./brave.ts";
import type { SearchEngine } from "./contract.ts";
import { makeSearxng } from "./searxng.ts";

/** Null: none is configured. */
export function searchEngineOf(
  { settings, outbound }: { settings: Settings; outbound: Outbound },
  { isTest }: { isTest: boolean },
): SearchEngine | null {
  if (isTest) {
    if (!settings.sandbox) return null;
    return makeSearxng({ baseUrl: sandboxBase(settings, "search"), key: null, outbound });
  }
  if (!settings.search) return null;
  const make = settings.search.provider === "brave" ? makeBrave : makeSearxng;
  return make({ ...settings.search, outbound });
}
