/** Reading and changing a workspace's guardrails. Of two changes of the same version one is made, and the other told. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { forgetPolicy } from "./policy.ts";
import type { GuardrailsBody } from "./shapes.ts";
import { findGuardrails, isOvertaken, replaceGuardrails } from "./store.ts";
import type { GuardrailsRow } from "./tables.ts";

function toGuardrails(row: Omit<GuardrailsRow, "workspaceId"> | null) {
  return {
    version: row?.version ?? 0,
    allowedModels: row?.allowedModels ?? ["*"],
    rules: row?.rules ?? [],
    changedBy: row?.changedBy ?? null,
    changedAt: row ? new Date(row.changedAt).toISOString() : null,
  };
}

export async function getGuardrails(ctx: WorkspaceCtx) {
  return toGuardrails(await findGuardrails(ctx));
}

export async function changeGuardrails(ctx: WorkspaceCtx, { version, allowedModels, rules }: GuardrailsBody) {
  const before = await findGuardrails(ctx);
  if ((before?.version ?? 0) !== version) throw new Problem("guardrails-changed");
  const row = { version: version + 1, allowedModels, rules, changedBy: ctx.userId, changedAt: ctx.now() };
  try {
    await ctx.db.batch([
      replaceGuardrails(ctx, row),
      ...trailOf(ctx, before ?? { allowedModels: ["*"], rules: [] }, row),
    ]);
  } catch (error) {
    throw isOvertaken(error) ? new Problem("guardrails-changed") : error;
  }
  forgetPolicy(ctx);
  return toGuardrails(row);
}

type Said = Pick<GuardrailsRow, "allowedModels" | "rules">;

/** One entry for the whole and one for each rule that changed: an entry has room for the old and the new text of one. */
function trailOf(ctx: WorkspaceCtx, before: Said, after: Said & { version: number }) {
  const { version } = after;
  const shown = ({ allowedModels, rules }: Said) => ({ allowedModels, order: rules.map(({ id }) => id) });
  const ids = [...new Set([...before.rules, ...after.rules].map(({ id }) => id))];
  const changes = ids
    .map((id) => ({ id, before: ruleOf(before, id), after: ruleOf(after, id) }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));
  return [
    auditEntry(ctx, "guardrails.changed", {
      target: ctx.workspaceId,
      category: "workspace",
      details: { version },
      before: shown(before),
      after: shown(after),
    }),
    ...changes.map(({ id, ...change }) =>
      auditEntry(ctx, "guardrails.rule-changed", {
        target: id,
        category: "workspace",
        details: { version },
        ...change,
      }),
    ),
  ];
}

/** Empty: there is no such rule. */
function ruleOf({ rules }: Said, id: string): Record<string, unknown> {
  return { ...rules.find((rule) => rule.id === id) };
}
