/** Everything about a person as one JSON document, written as it is read: it never stands in memory as a whole. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { exportLimit } from "#core/limits";
import { listMemberships } from "./deletion-store.ts";
import { type ExportPage, exportLists } from "./export-store.ts";
import { currentUser, iso } from "./people.ts";
import { listOwnSessions } from "./sessions.ts";
import type { UserRow } from "./tables.ts";

const pageRows = 500;
const maxRows = 20_000;

/** Times in ISO 8601. A list ends after 20,000 rows, newest first; `complete` says whether that was all. */
export async function exportAccount(ctx: WorkspaceCtx): Promise<Response> {
  const user = await currentUser(ctx);
  await ctx.takeLimit(exportLimit, user.id);
  await ctx.db.batch([auditEntry(ctx, "account.exported", { target: user.id })]);
  const head = {
    exportedAt: iso(ctx.now()),
    profile: profileOf(user),
    preferences: user.preferences,
    workspaces: (await listMemberships(ctx.db, user.id)).map(({ id, name, kind, isOwner }) => ({
      id,
      name,
      kind,
      isOwner,
    })),
    sessions: (await listOwnSessions(ctx)).items,
  };
  return new Response(streamOf(write(ctx, head)), {
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "content-disposition": `attachment; filename="account-${user.id}.json"`,
    },
  });
}

/** The row but for what is a secret, an internal, or has a member of its own. */
const keptBack = new Set(["passwordPhc", "usernameKey", "defaultKeyId", "preferences"]);

function profileOf(user: UserRow) {
  return withTimes(Object.fromEntries(Object.entries(user).filter(([name]) => !keptBack.has(name))));
}

async function* write(ctx: WorkspaceCtx, head: Record<string, unknown>): AsyncGenerator<string> {
  yield JSON.stringify(head).slice(0, -1);
  const complete: Record<string, boolean> = {};
  // A sub-user's workspace is its parent's: what is in it belongs to others.
  const lists = Object.entries(exportLists).filter(([name]) => !ctx.subUser || !ofWorkspace.has(name));
  for (const [name, read] of lists) {
    yield `,${JSON.stringify(name)}:[`;
    let before: string | null = null;
    let rows = 0;
    let page: ExportPage[] = [];
    do {
      page = await read(ctx, before, pageRows);
      const text = page.map((row) => JSON.stringify(withTimes(row))).join(",");
      if (text !== "") yield rows === 0 ? text : `,${text}`;
      rows += page.length;
      before = page.at(-1)?.id ?? null;
    } while (page.length === pageRows && rows < maxRows);
    complete[name] = page.length < pageRows;
    yield "]";
  }
  yield `,"complete":${JSON.stringify(complete)}}`;
}

const ofWorkspace = new Set(["files", "conversions", "jobs"]);

/** Milliseconds of members named `...At` as ISO 8601. */
function withTimes(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      name.endsWith("At") && typeof value === "number" ? iso(value) : value,
    ]),
  );
}

function streamOf(texts: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await texts.next();
      return done ? controller.close() : controller.enqueue(encoder.encode(value));
    },
    cancel: async () => {
      await texts.return(undefined);
    },
  });
}
