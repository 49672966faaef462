/**
 * Keeps responses for 30 days under ids of our own: small ones in an envelope, large ones in the bucket. A provider is never asked to keep anything, so
 * what is kept outlives a change of provider or key, and reaches nobody but the workspace.
 */
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { openSecret, sealSecret } from "#core/sealed-secret";
import {
  deleteResponseRow,
  deleteResponses,
  findResponse,
  insertResponse,
  listExpired,
  listStale,
  modeOf,
  replaceWrapping,
} from "./store.ts";

const keptMs = 30 * 24 * 3_600_000;
/** What an envelope holds. */
const maxWrappedBytes = 65_536;
const expiredEach = 90;
const maxExpiredPages = 200;
const rewrappedEach = 300;

export interface Conversation {
  /** What came before, as it is put before the new input. */
  context: JsonObject[];
  /** The input of this response, each item with an id. */
  items: JsonObject[];
  response: JsonObject;
}

const sealing = (id: string) => ({ purpose: "model-responses", name: id });

export async function keepResponse(ctx: WorkspaceCtx, id: string, conversation: Conversation): Promise<void> {
  const text = JSON.stringify(conversation);
  const sizeBytes = Buffer.byteLength(text);
  const at = ctx.now();
  const row = {
    id,
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    mode: modeOf(ctx),
    sizeBytes,
    createdAt: at,
    expiresAt: at + keptMs,
  };
  if (sizeBytes <= maxWrappedBytes) {
    const { wrappedSecret, masterVersion } = await sealSecret(ctx, sealing(id), text);
    await ctx.db.batch([insertResponse(ctx.db, { ...row, wrapped: wrappedSecret, masterVersion, r2Key: null })]);
    return;
  }
  // Below the workspace's own beginning: its purge finds the object even if the row was never written.
  const r2Key = `w/${ctx.workspaceId}/r/${id}`;
  await ctx.files.put(r2Key, text);
  try {
    const [{ version: masterVersion }] = ctx.settings.masterKeys;
    await ctx.db.batch([insertResponse(ctx.db, { ...row, wrapped: null, masterVersion, r2Key })]);
  } catch (error) {
    await ctx.files.delete(r2Key);
    throw error;
  }
}

export interface Kept extends Conversation {
  sizeBytes: number;
}

/** Null for one that is unknown, foreign, deleted or past its time. */
export async function readResponse(ctx: WorkspaceCtx, id: string): Promise<Kept | null> {
  const row = await findResponse(ctx, id);
  if (!row) return null;
  const text =
    row.r2Key === null
      ? await openSecret(ctx, sealing(id), { wrappedSecret: row.wrapped ?? "", masterVersion: row.masterVersion })
      : await ctx.files.get(row.r2Key).then((object) => object?.text());
  if (text === undefined) return null;
  return { ...(JSON.parse(text) as Conversation), sizeBytes: row.sizeBytes };
}

async function requireResponse(ctx: WorkspaceCtx, id: string): Promise<Kept> {
  const kept = await readResponse(ctx, id);
  if (!kept) throw new Problem("response-not-found");
  return kept;
}

export async function getResponse(ctx: WorkspaceCtx, id: string): Promise<JsonObject> {
  return (await requireResponse(ctx, id)).response;
}

export async function deleteResponse(ctx: WorkspaceCtx, id: string) {
  const row = await findResponse(ctx, id);
  if (!row) throw new Problem("response-not-found");
  if (row.r2Key !== null) await ctx.files.delete(row.r2Key);
  await ctx.db.batch([
    deleteResponseRow(ctx, id),
    auditEntry(ctx, "response.delete", { target: id, category: "file" }),
  ]);
  return { id, object: "response" as const, deleted: true as const };
}

export interface ItemsQuery {
  limit: number;
  order: "asc" | "desc";
  after?: string | undefined;
}

/** Newest first unless asked otherwise, as OpenAI lists them. */
export async function listInputItems(ctx: WorkspaceCtx, id: string, { limit, order, after }: ItemsQuery) {
  const { items } = await requireResponse(ctx, id);
  const ordered = order === "asc" ? items : items.toReversed();
  const start = after === undefined ? 0 : ordered.findIndex((item) => item["id"] === after) + 1;
  if (after !== undefined && start === 0)
    throw new Problem("validation-failed", { detail: "after is no id of an item.", members: { param: "after" } });
  const data = ordered.slice(start, start + limit);
  const idOf = (item: JsonObject | undefined) => (typeof item?.["id"] === "string" ? item["id"] : null);
  return {
    object: "list" as const,
    data,
    first_id: idOf(data[0]),
    last_id: idOf(data.at(-1)),
    has_more: start + limit < ordered.length,
  };
}

/** What a kept response adds to the input of the one that continues it: everything before it, its input and its output. */
export function contextOf({ context, items, response }: Conversation): JsonObject[] {
  const output = Array.isArray(response["output"]) ? response["output"].filter(isObject) : [];
  return [...context, ...items.map(withoutId), ...output.filter(canBeGivenBack).map(withoutId)];
}

/** Its id means something to the provider that made it, and only if that one kept it. */
function withoutId(item: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(item).filter(([name]) => name !== "id" && name !== "status"));
}

/** Thoughts without their encrypted form are known by that id alone. */
function canBeGivenBack({ type, encrypted_content: encrypted }: JsonObject): boolean {
  return type !== "reasoning" || typeof encrypted === "string";
}

/** Envelopes of an older master key come under the current one. One that cannot be opened stays until its time is over. */
export async function rewrapResponses(ctx: Ctx): Promise<void> {
  for (const row of await listStale(ctx.db, ctx.settings.masterKeys[0].version, rewrappedEach)) {
    const stored = { wrappedSecret: row.wrapped ?? "", masterVersion: row.masterVersion };
    try {
      const sealed = await sealSecret(ctx, sealing(row.id), await openSecret(ctx, sealing(row.id), stored));
      await ctx.db.batch([replaceWrapping(ctx.db, row, sealed)]);
    } catch (error) {
      ctx.log("error", "response.not-rewrapped", { responseId: row.id, error });
    }
  }
}

export async function purgeExpiredResponses(ctx: Ctx): Promise<void> {
  for (let page = 0; page < maxExpiredPages; page += 1) {
    const rows = await listExpired(ctx.db, ctx.now(), expiredEach);
    const keys = rows.flatMap(({ r2Key }) => (r2Key === null ? [] : [r2Key]));
    if (keys.length > 0) await ctx.files.delete(keys);
    if (rows.length > 0)
      await ctx.db.batch([
        deleteResponses(
          ctx.db,
          rows.map(({ id }) => id),
        ),
      ]);
    if (rows.length < expiredEach) return;
  }
}
