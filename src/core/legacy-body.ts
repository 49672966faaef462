/**
 * Bodies of operations that older clients call: unknown members are ignored, because those clients send more than they need to.
 * Members that only the server may set are refused loudly: silence would look like consent.
 */
import * as z from "zod";
import { Problem } from "./problem.ts";

export const serverOwned = [
  "role",
  "plan",
  "credits",
  "limits",
  "limitOverrides",
  "limit_overrides",
  "owner",
  "ownerId",
  "owner_id",
  "ownerUserId",
  "owner_user_id",
  "subscription_tier",
  "subscriptionTier",
  "subscription_plan",
  "subscriptionPlan",
  "monthly_token_limit",
  "monthlyTokenLimit",
] as const;

/** A shape that ignores unknown members and answers 422 `server-owned-member` to those above. */
export function legacyBody<Shape extends z.ZodRawShape>(members: Shape) {
  const shape = z.object(members);
  return z.preprocess((value) => {
    if (typeof value === "object" && value !== null) refuseServerOwned(Object.keys(value), Object.keys(members));
    return value;
  }, shape);
}

const toSnake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Before a shape whose members are in snake case: takes each in camelCase, too. Both with different values are refused. */
export function inEitherSpelling(value: unknown, check: z.core.$RefinementCtx): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const spelled: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(value)) {
    const key = toSnake(name);
    if (key in spelled && JSON.stringify(spelled[key]) !== JSON.stringify(given))
      check.addIssue({ code: "custom", path: [name], message: `differs from ${key}` });
    spelled[key] = given;
  }
  return spelled;
}

function refuseServerOwned(given: string[], declared: string[]): void {
  const found = given.filter((name) => (serverOwned as readonly string[]).includes(name) && !declared.includes(name));
  if (found.length > 0)
    throw new Problem("server-owned-member", {
      detail: `Set by the server: ${found.join(", ")}.`,
      members: { forbidden: found },
    });
}
