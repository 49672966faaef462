/** What the daily purge of job rows forgets, and what it must keep. */
import { describe, expect, it } from "vitest";
import { findJobById, insertJob } from "#core/job-store";
import { purge } from "#features/jobs/index";
import { bindings, signUp, systemContext } from "#test/support/harness";

const monthMs = 31 * 24 * 3_600_000;

async function plant(change: { lane?: string; endedAt: number | null }): Promise<string> {
  const ctx = systemContext();
  const id = ctx.newId("job");
  const { workspaceId, userId } = await signUp();
  const { lane = "delivery", endedAt } = change;
  await ctx.db.batch([
    insertJob(ctx, {
      id,
      workspaceId,
      userId,
      name: "test.none",
      lane,
      payload: "{}",
      maxAttempts: 1,
      runAt: ctx.now(),
    }),
  ] as never);
  await bindings.DB.prepare("update jobs set created_at = 1, ended_at = ? where id = ?").bind(endedAt, id).run();
  return id;
}

describe("the purge of jobs", () => {
  it("forgets deliveries that ended long ago, and keeps those that wait, that ended lately, or that made something", async () => {
    const old = await plant({ endedAt: Date.now() - monthMs });
    const kept = await Promise.all([
      plant({ endedAt: Date.now() - 1_000 }),
      plant({ endedAt: null }),
      plant({ lane: "conversion", endedAt: Date.now() - monthMs }),
    ]);
    await purge(systemContext());
    expect(await findJobById(systemContext(), old)).toBeNull();
    for (const id of kept) expect(await findJobById(systemContext(), id)).toMatchObject({ id });
  });
});
