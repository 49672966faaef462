/** What tests of keys share: a person's own context, data keys under it, and jobs run here and now. */
import type { WorkspaceCtx } from "#core/context";
import type { Bindings } from "#core/env";
import { makeId } from "#core/ids";
import { insertJob } from "#core/job-store";
import type { AppCtx } from "#app/app-context";
import { runJob } from "#app/run-job";
import { createDataKey, openDataKey } from "#features/secrets/service";
import { bindings, type Person, systemContext } from "#test/support/harness";

/** The context that a request of this person would have; hints to the queue are dropped, so that jobs run only where a test says so. */
export function actAs(person: Person, overrides: Partial<Bindings> = {}): AppCtx & WorkspaceCtx {
  const { sid } = JSON.parse(atob((person.token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"))) as {
    sid: string;
  };
  return Object.assign(quietContext(overrides), {
    actor: { kind: "user" as const, userId: person.userId, sessionId: sid, role: "owner" as const },
    userId: person.userId,
    workspaceId: person.workspaceId,
    plan: "free" as const,
    overrides: {},
  });
}

export function quietContext(overrides: Partial<Bindings> = {}): AppCtx {
  const ctx = systemContext(overrides);
  ctx.offer = async () => undefined;
  return ctx;
}

export async function storeDataKeys(
  ctx: WorkspaceCtx,
  count: number,
  encryptionKeyId: string | null = null,
): Promise<{ keyId: string; conversionId: string; raw: string }[]> {
  const made: { keyId: string; conversionId: string; raw: string }[] = [];
  for (let index = 0; index < count; index += 1) {
    const conversionId = makeId("conversion", ctx.now(), ctx.random(16));
    const { keyId, statement } = await createDataKey(ctx, { conversionId, encryptionKeyId });
    await ctx.db.batch([statement]);
    made.push({ keyId, conversionId, raw: await open(ctx, keyId) });
  }
  return made;
}

export async function open(ctx: Parameters<typeof openDataKey>[0], keyId: string): Promise<string> {
  return Buffer.from(await openDataKey(ctx, keyId)).toString("hex");
}

/** The code of the problem that the work is refused with. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "not refused",
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );
}

export async function jobRow(id: string) {
  return bindings.DB.prepare(
    "select state, done, total, result, problem_code as problemCode, attempt from jobs where id = ?",
  )
    .bind(id)
    .first<{
      state: string;
      done: number;
      total: number;
      result: string | null;
      problemCode: string | null;
      attempt: number;
    }>();
}

/** Runs a job until it has ended, also when another consumer has it or it is to be tried again. */
export async function finish(ctx: AppCtx, jobId: string) {
  for (let turn = 0; turn < 200; turn += 1) {
    const row = await jobRow(jobId);
    if (row && ["succeeded", "failed", "cancelled"].includes(row.state)) return row;
    if ((await runJob(ctx, jobId)) === "not-claimed") await scheduler.wait(25);
  }
  throw new Error("the job does not end");
}

/** Stores a row for a job without telling the queue. */
export async function plantJob(
  ctx: AppCtx,
  job: { name: string; workspaceId: string; payload: Record<string, unknown> },
): Promise<string> {
  const id = makeId("job", ctx.now(), ctx.random(16));
  const { name, workspaceId } = job;
  await ctx.db.batch([
    insertJob(ctx, {
      id,
      workspaceId,
      userId: null,
      name,
      lane: "delivery",
      payload: JSON.stringify(job.payload),
      maxAttempts: 5,
      runAt: ctx.now(),
    }),
  ]);
  return id;
}

/** 64 hexadecimal characters that are a valid master key and differ at each call. */
export function newMasterHex(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}

/** Does something right before the nth batch of writes, in the gap after what was read for it. */
export function beforeBatch(ctx: AppCtx, nth: number, action: () => Promise<unknown>): void {
  const { db } = ctx;
  let count = 0;
  const batch: AppCtx["db"]["batch"] = async (statements) => {
    count += 1;
    if (count === nth) await action();
    return db.batch(statements);
  };
  ctx.db = Object.assign(Object.create(db) as AppCtx["db"], { batch });
}
