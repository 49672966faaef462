/** How a person wants the product to look and behave. Only known members are kept; `notifications` is read by whoever notifies. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import type { Output } from "#core/shape";
import { currentUser } from "./people.ts";
import { patchPreferences } from "./store.ts";
import type { preferencesBody, preferencesShape } from "./user-shapes.ts";

type Preferences = Output<typeof preferencesShape>;

const defaults: Preferences = {
  theme: "system",
  language: "en",
  notifications: true,
  auto_completion: true,
  model_preference: "",
  max_tokens: 4_096,
};

export async function readPreferences(ctx: WorkspaceCtx): Promise<Preferences> {
  const stored = (await currentUser(ctx)).preferences;
  const known = Object.keys(defaults).filter((name) => name in stored);
  return { ...defaults, ...Object.fromEntries(known.map((name) => [name, stored[name]])) } as Preferences;
}

/** Members that are left out stay as they are; `notifications` is replaced as a whole. */
export async function changePreferences(
  ctx: WorkspaceCtx,
  change: Output<typeof preferencesBody>,
): Promise<Preferences> {
  await ctx.db.batch([
    patchPreferences(ctx.db, ctx.userId, { change, at: ctx.now() }),
    auditEntry(ctx, "account.preferences-changed", { target: ctx.userId, details: { members: Object.keys(change) } }),
  ]);
  return readPreferences(ctx);
}
