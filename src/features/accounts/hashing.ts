/** How this feature reaches the hashers. */
import type { Ctx } from "#core/context";
import { Problem } from "#core/problem";

export function hasherChoice(ctx: Ctx): { hashers: number; random: number } {
  return { hashers: ctx.settings.hashers, random: (ctx.random(1)[0] ?? 0) / 256 };
}

export function busy(): Problem {
  return new Problem("hashing-busy", { headers: { "retry-after": "2" } });
}
