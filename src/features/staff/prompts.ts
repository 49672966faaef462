/** The texts that prompt styles put before a request: read, changed, never forgotten. */
import { auditEntry } from "#core/audit";
import type { Database, WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { defaultPrompts, type PromptStyle, promptStyles } from "./default-prompts.ts";
import { asStaff } from "./acting.ts";
import { addPrompt, newestPrompts, promptVersions } from "./store.ts";
import type { SystemPromptRow } from "./tables.ts";

function toPrompt(rType: PromptStyle, row: SystemPromptRow | undefined) {
  const { name, text } = defaultPrompts[rType];
  return {
    rType,
    name,
    prompt: row?.prompt ?? text,
    version: row?.version ?? 0,
    changedBy: row?.changedBy ?? null,
    changedAt: row ? new Date(row.createdAt).toISOString() : null,
  };
}

/** The texts in force; with `rType`, also every version of that one, down to the text that the product comes with. */
export async function listPrompts(ctx: WorkspaceCtx, rType: PromptStyle | undefined) {
  const [newest, versions] = await Promise.all([
    newestPrompts(ctx.db),
    rType === undefined ? [] : promptVersions(ctx.db, rType),
  ]);
  const items = promptStyles.map((style) =>
    toPrompt(
      style,
      newest.find((row) => row.style === style),
    ),
  );
  const history =
    rType === undefined ? [] : [...versions.map((row) => toPrompt(rType, row)), toPrompt(rType, undefined)];
  return { items, history };
}

/** The text in force of one style, for the gateway. */
export async function promptOf(db: Database, rType: PromptStyle): Promise<string> {
  const row = (await newestPrompts(db)).find((candidate) => candidate.style === rType);
  return row?.prompt ?? defaultPrompts[rType].text;
}

export async function changePrompt(ctx: WorkspaceCtx, style: string, prompt: string) {
  const rType = promptStyles.find((known) => known === style);
  if (rType === undefined) throw new Problem("prompt-style-not-found");
  const before = (await newestPrompts(ctx.db)).find((row) => row.style === rType);
  await ctx.db.batch([
    addPrompt(ctx, { style: rType, prompt, changedBy: ctx.userId }),
    auditEntry(asStaff(ctx), "staff.system-prompt-changed", {
      target: rType,
      before: { prompt: toPrompt(rType, before).prompt },
      after: { prompt },
    }),
  ]);
  const [row] = await promptVersions(ctx.db, rType);
  return toPrompt(rType, row);
}
