/** Batches: what they answer, what they cost to the credit, and what becomes of runs that die, are overtaken or cancelled. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { runJob } from "#app/run-job";
import { makeContext } from "#app/context";
import type { Bindings } from "#core/env";
import { purgeOldBatches } from "#features/prompts/batches";
import { bindings, type Called, type Person, signUp, systemContext } from "#test/support/harness";
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { configured, contextOf, misrouted, personWith, used } from "./support.ts";

afterEach(() => void vi.restoreAllMocks());

/** Requests that wait for a job that no queue runs. */
const waiting: Promise<Called>[] = [];
const person = () => personWith(["bpe", "tot"], "medium");
const tasks = (count: number) => Array.from({ length: count }, (_, index) => ({ prompt: `Task number ${index}` }));

/** A deployment whose queue runs a job as soon as it is offered, with the simulated providers. */
function withQueue(env: Bindings = configured): { env: Bindings; runs: Promise<unknown>[] } {
  const runs: Promise<unknown>[] = [];
  const queued: Bindings = { ...env };
  queued.TRANSCRIPTION_QUEUE = {
    send: async ({ jobId }: { jobId: string }) => {
      runs.push(runNow(queued, jobId));
    },
  } as never;
  return { env: queued, runs };
}

async function runNow(env: Bindings, jobId: string): Promise<string> {
  const execution = createExecutionContext();
  const ran = await runJob(makeContext(env, execution), jobId);
  await waitOnExecutionContext(execution);
  return ran;
}

async function batch(who: Person, body: object, options: object = {}): Promise<Called> {
  const { env, runs } = withQueue();
  const answer = await who.call("POST", "/v1/batch/process", { env, body: { level: "low", ...body }, ...options });
  await Promise.all(runs);
  return answer;
}

const stateOf = async (jobId: string) =>
  (await bindings.DB.prepare("select state from jobs where id = ?").bind(jobId).first<{ state: string }>())?.state;

/** A deployment whose queue loses what it is given. */
const heldEnv = { ...configured, TRANSCRIPTION_QUEUE: { send: async () => undefined } } as unknown as Bindings;

/** A batch whose job nobody runs yet. */
async function planted(who: Person, body: object): Promise<{ batchId: string; jobId: string }> {
  const request = who.call("POST", "/v1/batch/process", { env: heldEnv, body: { level: "low", ...body } });
  waiting.push(request);
  const newest = bindings.DB.prepare("select id, job_id from prompt_batches where workspace_id = ? order by id desc");
  const find = () => newest.bind(who.workspaceId).first<{ id: string; job_id: string }>();
  await expect.poll(find).not.toBeNull();
  const row = await find();
  return { batchId: row?.id ?? "", jobId: row?.job_id ?? "" };
}

const expireLease = (jobId: string) =>
  bindings.DB.prepare("update jobs set lease_until = 1 where id = ?").bind(jobId).run();

describe("a batch", () => {
  it("answers with the result of every task, for a credit each", async () => {
    const who = await person();
    const { status, body } = await batch(who, { batch: tasks(4) });
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "completed", total_tasks: 4, successful_tasks: 4, failed_tasks: 0 });
    expect(body.batch_id).toMatch(/^batch_/);
    expect(body.results.map((result: { task_index: number }) => result.task_index)).toEqual([0, 1, 2, 3]);
    for (const result of body.results)
      expect(result).toMatchObject({ success: true, response: expect.any(String), error: null, error_code: null });
    const spent = await used(who);
    expect(spent).toEqual({ credits: 4, tokens: body.total_tokens_used, reserved: 0 });
    const read = await who.call("GET", `/v1/batch/${body.batch_id}`);
    expect(read.body).toEqual(body);
  });

  it("has the style's text first, and asks for no questions back", async () => {
    const who = await person();
    const task = [{ prompt: "Write of bees.\0", r_type: "tot", max_tokens: 4_000, temperature: 0.1 }];
    const { body } = await misrouted("gpt-4o-mini", "sandbox-echo", () => batch(who, { batch: task }));
    const sent = JSON.parse(body.results[0].response);
    expect(sent.messages[0].content).toContain("Explore before you decide");
    expect(sent.messages[1].content).toMatch(/^Write of bees\.\n\n.*without asking/);
    expect(sent).toMatchObject({ temperature: 0.1 });
  });

  it("charges no credit for tasks that fail, and tells why", async () => {
    const who = await person();
    const { body } = await misrouted("gpt-4o-mini", "sandbox-bad-request", () => batch(who, { batch: tasks(3) }));
    expect(body).toMatchObject({ status: "completed", successful_tasks: 0, failed_tasks: 3, total_tokens_used: 0 });
    expect(body.results[0]).toMatchObject({ success: false, response: null, error_code: "model-request-refused" });
    expect(await used(who)).toEqual({ credits: 0, tokens: 0, reserved: 0 });
  });

  it("charges exactly those that succeeded when some fail", async () => {
    const who = await person();
    // More than the plan's tokens are left for: refused before the model is asked.
    const mixed = [
      ...tasks(3),
      { prompt: "Too long", max_tokens: 90_000 },
      { prompt: "Too long too", max_tokens: 90_000 },
    ];
    const { body } = await batch(who, { batch: mixed, parallel: false });
    expect(body).toMatchObject({ successful_tasks: 3, failed_tasks: 2 });
    expect(body.results[3]).toMatchObject({ success: false, error_code: "quota-exceeded" });
    expect(await used(who)).toEqual({ credits: 3, tokens: body.total_tokens_used, reserved: 0 });
  });

  it("researches when it is asked to", async () => {
    const who = await person();
    const { body } = await batch(who, { batch: [{ prompt: "Bees?", max_tokens: 60 }], enable_research: true });
    expect(body.successful_tasks).toBe(1);
    expect(await used(who)).toEqual({ credits: 1, tokens: body.total_tokens_used, reserved: 0 });
  });

  it("by a test key costs nothing and reaches the simulators only", async () => {
    const who = await person();
    const key = (await who.call("POST", "/v1/api-keys", { body: { name: "test", mode: "test" } })).body.key;
    const { env, runs } = withQueue(bindings);
    const answer = await who.call("POST", "/v1/batch/process", {
      as: key,
      env,
      body: { level: "low", batch: tasks(2) },
    });
    await Promise.all(runs);
    expect(answer.body).toMatchObject({ status: "completed", successful_tasks: 2 });
    expect(await used(who)).toEqual({ credits: 0, tokens: 0, reserved: 0 });
  });

  it("is made once for an Idempotency-Key", async () => {
    const who = await person();
    const headers = { "idempotency-key": "once" };
    const first = await batch(who, { batch: tasks(2) }, { headers });
    const again = await batch(who, { batch: tasks(2) }, { headers });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect((await used(who)).credits).toBe(2);
  });

  it("is refused whole, with nothing set aside, when anything of it may not be", async () => {
    const who = await person();
    const cases: [object, number, string][] = [
      [{ batch: [] }, 422, "validation-failed"],
      [{ batch: tasks(51) }, 422, "validation-failed"],
      [{ batch: [{ prompt: "x".repeat(50_001) }] }, 422, "validation-failed"],
      [{ batch: [...tasks(1), { prompt: "x", r_type: "react" }] }, 403, "prompt-style-not-allowed"],
      [{ batch: tasks(1), level: "ultra" }, 403, "prompt-level-not-allowed"],
      [{ batch: tasks(11) }, 429, "quota-exceeded"],
    ];
    for (const [body, status, code] of cases) {
      const answer = await batch(who, body);
      expect(answer.status, JSON.stringify(answer.body)).toBe(status);
      expect(answer.body.code).toBe(code);
    }
    expect(await used(who)).toEqual({ credits: 0, tokens: 0, reserved: 0 });
  });

  it("is nobody else's", async () => {
    const { body } = await batch(await person(), { batch: tasks(1) });
    const stranger = await signUp();
    const foreign = await stranger.call("GET", `/v1/batch/${body.batch_id}`);
    const unknown = await stranger.call("GET", "/v1/batch/batch_00000000000000000000000000");
    expect(foreign.status).toBe(404);
    expect(foreign.body.code).toBe("batch-not-found");
    expect(foreign.body.detail).toBe(unknown.body.detail);
  });

  it("is forgotten after 30 days, with its results", async () => {
    const who = await person();
    const { body } = await batch(who, { batch: tasks(1) });
    await purgeOldBatches(systemContext());
    expect((await who.call("GET", `/v1/batch/${body.batch_id}`)).status).toBe(200);
    const at = Date.now() - 31 * 24 * 3_600_000;
    await bindings.DB.prepare("update prompt_batches set created_at = ? where id = ?").bind(at, body.batch_id).run();
    await purgeOldBatches(systemContext());
    expect((await who.call("GET", `/v1/batch/${body.batch_id}`)).status).toBe(404);
    const left = "select count(*) as n from prompt_batch_results where batch_id = ?";
    expect(await bindings.DB.prepare(left).bind(body.batch_id).first("n")).toBe(0);
  });
});

describe("a run", () => {
  it("that dies is taken up behind what it wrote, and nothing is charged twice", async () => {
    const who = await person();
    const { batchId, jobId } = await planted(who, { batch: tasks(6), parallel: false });
    expect(await used(who)).toEqual({ credits: 0, tokens: 0, reserved: 6 });
    const dying = contextOf(who);
    const reached = Promise.withResolvers<void>();
    const never = Promise.withResolvers<never>();
    let calls = 0;
    const { operatorStream } = dying.outbound;
    dying.outbound = {
      ...dying.outbound,
      operatorStream: async (request, options) => {
        calls += 1;
        if (calls <= 3) return operatorStream(request, options);
        reached.resolve();
        return never.promise;
      },
    };
    void runJob(dying, jobId);
    await reached.promise;
    const partial = await who.call("GET", `/v1/batch/${batchId}`);
    expect(partial.body).toMatchObject({ status: "processing", successful_tasks: 3, failed_tasks: 0 });
    await expireLease(jobId);
    expect(await runNow(configured, jobId)).toBe("ran");
    const { body } = await who.call("GET", `/v1/batch/${batchId}`);
    expect(body).toMatchObject({ status: "completed", successful_tasks: 6 });
    expect(body.results.slice(0, 3)).toEqual(partial.body.results);
    expect(await used(who)).toEqual({ credits: 6, tokens: body.total_tokens_used, reserved: 0 });
  });

  it("that was overtaken after the model answered changes nothing, and the answer is charged once", async () => {
    const who = await person();
    const { batchId, jobId } = await planted(who, { batch: tasks(1) });
    const slow = contextOf(who);
    const answered = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const { operatorStream } = slow.outbound;
    slow.outbound = {
      ...slow.outbound,
      operatorStream: async (request, options) => {
        const response = await operatorStream(request, options);
        answered.resolve();
        await goOn.promise;
        return response;
      },
    };
    const overtaken = runJob(slow, jobId);
    await answered.promise;
    await expireLease(jobId);
    expect(await runNow(configured, jobId)).toBe("ran");
    const before = await who.call("GET", `/v1/batch/${batchId}`);
    goOn.resolve();
    await overtaken;
    expect((await who.call("GET", `/v1/batch/${batchId}`)).body).toEqual(before.body);
    expect(await used(who)).toEqual({ credits: 1, tokens: before.body.total_tokens_used, reserved: 0 });
  });

  it("that is delivered again does nothing", async () => {
    const who = await person();
    const { body } = await batch(who, { batch: tasks(2) });
    const before = await used(who);
    expect(await runNow(configured, body.job_id)).toBe("not-claimed");
    expect(await used(who)).toEqual(before);
  });

  it("that is cancelled keeps what is done, pays for that alone, and can go on later", async () => {
    const who = await person();
    const { batchId, jobId } = await planted(who, { batch: tasks(5), parallel: false });
    const ctx = contextOf(who);
    const reached = Promise.withResolvers<void>();
    let calls = 0;
    const { operatorStream } = ctx.outbound;
    ctx.outbound = {
      ...ctx.outbound,
      operatorStream: async (request, options) => {
        calls += 1;
        if (calls <= 2) return operatorStream(request, options);
        reached.resolve();
        return new Promise((_, reject) => {
          request.signal.addEventListener("abort", () => reject(request.signal.reason as Error));
        });
      },
    };
    const running = runJob(ctx, jobId);
    await reached.promise;
    expect((await who.call("POST", `/v1/jobs/${jobId}/cancel`)).status).toBeLessThan(300);
    await running;
    expect(await stateOf(jobId)).toBe("cancelled");
    const cancelled = await who.call("GET", `/v1/batch/${batchId}`);
    expect(cancelled.body).toMatchObject({ status: "cancelled", successful_tasks: 2, failed_tasks: 0 });
    await expect.poll(() => used(who)).toEqual({ credits: 2, tokens: cancelled.body.total_tokens_used, reserved: 0 });
    expect((await who.call("POST", `/v1/jobs/${jobId}/retry`, { env: heldEnv })).status).toBe(202);
    expect(await runNow(configured, jobId)).toBe("ran");
    const { body } = await who.call("GET", `/v1/batch/${batchId}`);
    expect(body).toMatchObject({ status: "completed", successful_tasks: 5 });
    expect(await used(who)).toEqual({ credits: 5, tokens: body.total_tokens_used, reserved: 0 });
  });

  it("for somebody who left the workspace fails, and everything returns", async () => {
    const who = await person();
    const { batchId, jobId } = await planted(who, { batch: tasks(2) });
    await bindings.DB.prepare("update prompt_batches set user_id = ? where id = ?")
      .bind((await signUp()).userId, batchId)
      .run();
    await runNow(configured, jobId);
    expect((await who.call("GET", `/v1/batch/${batchId}`)).body).toMatchObject({ status: "failed", results: [] });
    expect(await used(who)).toEqual({ credits: 0, tokens: 0, reserved: 0 });
  });
});

describe("a batch that takes long", () => {
  it("is answered 202 after 25 seconds, and costs nothing when it is cancelled before it began", async () => {
    const who = await person();
    const { batchId, jobId } = await planted(who, { batch: tasks(3) });
    const last = waiting.pop();
    // The others waited for jobs that have ended since.
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const realNow = Date.now;
    vi.spyOn(Date, "now").mockImplementation(() => realNow() + 23_000);
    // It looks every 200 ms.
    expect(await Promise.race([last, scheduler.wait(500)])).toBeUndefined();
    vi.spyOn(Date, "now").mockImplementation(() => realNow() + 25_000);
    const answer = await last;
    expect(answer?.status).toBe(202);
    expect(answer?.body).toMatchObject({ batch_id: batchId, status: "pending", total_tasks: 3, results: [] });
    vi.restoreAllMocks();
    expect(await used(who)).toMatchObject({ credits: 0, reserved: 3 });
    await who.call("POST", `/v1/jobs/${jobId}/cancel`, { env: configured });
    expect((await who.call("GET", `/v1/batch/${batchId}`)).body.status).toBe("cancelled");
    expect(await used(who)).toEqual({ credits: 0, tokens: 0, reserved: 0 });
  });
});
