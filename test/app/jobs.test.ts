/** The job engine: one run wins, a dead run is offered again, an overtaken run changes nothing, and poison fails alone. */
import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { features } from "#app/features";
import { consume } from "#app/queue";
import { registerJobs, runJob } from "#app/run-job";
import { commitWithJobs, defineJob, done, fail, type JobCtx, type Outcome, retry } from "#core/job";
import { findJobById } from "#core/job-store";
import { auditEntry } from "#core/audit";
import { sweep } from "#features/jobs/index";
import { countingBindings } from "#test/support/counting";
import { bindings, type Person, signUp, systemContext } from "#test/support/harness";
import worker from "../../src/index.ts";

let behave: (ctx: JobCtx) => Promise<Outcome>;
let abandoned: string[] = [];

const probe = defineJob({
  name: "test.probe",
  lane: "delivery",
  payload: () => z.object({ label: z.string() }),
  attempts: 3,
  run: (ctx) => behave(ctx),
  abandon: async (_, { label }) => {
    abandoned.push(label);
    if (label === "stuck") throw new Error("storage does not answer");
  },
});

const real = features.flatMap((feature) => feature.jobs ?? []);
let person: Person;

beforeAll(async () => {
  registerJobs([...real, probe]);
  person = await signUp();
});
afterAll(() => registerJobs(real));
beforeEach(() => {
  behave = async () => done({ ran: true });
  abandoned = [];
});

/** A row whose hint was lost: nothing runs it until the test does. */
async function enqueue(label = "work", runAt?: number): Promise<string> {
  const ctx = systemContext();
  const row = probe.row(
    { ...ctx, workspaceId: person.workspaceId, userId: person.userId },
    { label },
    runAt === undefined ? {} : { runAt },
  );
  await ctx.db.batch([row.statement as never]);
  return row.jobId;
}

const stateOf = async (id: string) => (await findJobById(systemContext(), id))?.state;
const eventsOf = async (id: string) =>
  (
    await bindings.DB.prepare("select type from job_events where job_id = ? order by seq")
      .bind(id)
      .all<{ type: string }>()
  ).results.map((row) => row.type);
const age = (id: string, change: string) =>
  bindings.DB.prepare(`update jobs set ${change} where id = ?`).bind(id).run();

describe("a job", () => {
  it("runs once, however often its message is delivered", async () => {
    let runs = 0;
    behave = async () => {
      runs += 1;
      return done({ runs });
    };
    const id = await enqueue();
    await Promise.all(Array.from({ length: 10 }, () => runJob(systemContext(), id)));
    expect(runs).toBe(1);
    expect(await stateOf(id)).toBe("succeeded");
    expect(await eventsOf(id)).toEqual(["succeeded"]);
  });

  it("is retried with a later time, and fails for good after its last attempt", async () => {
    behave = async () => retry("not yet");
    const id = await enqueue();
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await age(id, "run_at = 0");
      await runJob(systemContext(), id);
    }
    const row = await findJobById(systemContext(), id);
    expect(row).toMatchObject({ state: "failed", problemCode: "job-lost", attempt: 3 });
    expect(await eventsOf(id)).toEqual(["retrying", "retrying", "failed"]);
    expect(abandoned).toEqual(["work"]);
  });

  it("that throws is retried, and its message says nothing to the client", async () => {
    behave = async () => {
      throw new Error("secret of the database");
    };
    const id = await enqueue();
    await runJob(systemContext(), id);
    expect(await stateOf(id)).toBe("queued");
    expect(JSON.stringify((await person.call("GET", `/v1/jobs/${id}`)).body)).not.toContain("secret of the database");
  });

  it("fails at once with a problem that says what to do", async () => {
    behave = async () => fail("image-altered", "Image 3 was altered.", { index: 3 });
    const id = await enqueue();
    await runJob(systemContext(), id);
    const answer = await person.call("GET", `/v1/jobs/${id}`);
    expect(answer.body).toMatchObject({
      state: "failed",
      problem: { code: "image-altered", detail: "Image 3 was altered.", index: 3 },
    });
  });

  it("commits its effect with its end", async () => {
    behave = async (ctx) => done({}, [auditEntry(ctx, "test.effect", { target: ctx.jobId })]);
    const id = await enqueue();
    await runJob(systemContext(), id);
    const effects = await bindings.DB.prepare("select count(*) as n from audit_log where target = ?")
      .bind(id)
      .first<{ n: number }>();
    expect(effects?.n).toBe(1);
  });
});

describe("the lease", () => {
  it("keeps an overtaken run from changing anything", async () => {
    const id = await enqueue();
    let overtaken = false;
    behave = async (ctx) => {
      if (overtaken) return done({ by: "second" });
      overtaken = true;
      await age(id, "lease_until = 0");
      expect(await runJob(systemContext(), id)).toBe("ran");
      await expect(ctx.commit([auditEntry(ctx, "test.late", { target: id })])).rejects.toThrow();
      return done({ by: "first" }, [auditEntry(ctx, "test.late", { target: id })]);
    };
    await runJob(systemContext(), id);
    const row = await findJobById(systemContext(), id);
    expect(row).toMatchObject({ state: "succeeded", result: '{"by":"second"}' });
    const late = await bindings.DB.prepare(
      "select count(*) as n from audit_log where target = ? and action = 'test.late'",
    )
      .bind(id)
      .first<{ n: number }>();
    expect(late?.n).toBe(0);
    expect(await eventsOf(id)).toEqual(["succeeded"]);
  });

  it("that expired lets the sweeper offer the job again, and too many deaths end it", async () => {
    const id = await enqueue();
    await age(id, "state = 'running', lease_token = 'dead', lease_until = 1, attempt = 3, run_at = 0");
    await sweep(systemContext());
    expect(await stateOf(id)).toBe("queued");
    await runJob(systemContext(), id);
    expect(await findJobById(systemContext(), id)).toMatchObject({ state: "failed", problemCode: "job-lost" });
    expect(abandoned).toEqual(["work"]);
  });
});

describe("a clean-up that fails", () => {
  it("is repeated with the next run, and not for ever", async () => {
    const id = await enqueue("stuck");
    const dead = (attempt: number) =>
      age(id, `state = 'running', lease_token = 'dead', lease_until = 1, attempt = ${attempt}`);
    await dead(3);
    await runJob(systemContext(), id);
    expect(await stateOf(id)).toBe("running");
    await dead(3 + 20);
    await runJob(systemContext(), id);
    expect(await findJobById(systemContext(), id)).toMatchObject({ state: "failed", problemCode: "job-lost" });
    expect(abandoned).toEqual(["stuck", "stuck"]);
  });
});

describe("the sweeper", () => {
  it("offers lost hints and due schedules once, and leaves fresh ones alone", async () => {
    const [lost, due, later, fresh] = [
      await enqueue("lost"),
      await enqueue("due"),
      await enqueue("later", Date.now() + 3_600_000),
      await enqueue("fresh"),
    ];
    await age(lost, "offered_at = null");
    await age(due, "state = 'scheduled', run_at = 1");
    const offered: string[] = [];
    const ctx = systemContext();
    ctx.offer = async (message) => {
      offered.push(message.jobId);
    };
    await sweep(ctx);
    await sweep(ctx);
    expect(offered.filter((id) => [lost, due, later, fresh].includes(id)).sort()).toEqual([lost, due].sort());
  });
});

describe("cancel and retry", () => {
  it("cancel a waiting job at once, and run it again on demand", async () => {
    const id = await enqueue("waiting", Date.now() + 3_600_000);
    const cancelled = await person.call("POST", `/v1/jobs/${id}/cancel`);
    expect(cancelled).toMatchObject({ status: 200, body: { state: "cancelled", problem: { code: "job-cancelled" } } });
    expect(abandoned).toEqual(["waiting"]);
    expect(await person.call("POST", `/v1/jobs/${id}/cancel`)).toMatchObject({
      status: 409,
      body: { code: "job-not-cancellable" },
    });
    expect(await person.call("POST", `/v1/jobs/${id}/retry`)).toMatchObject({
      status: 202,
      body: { state: "queued", attempt: 0 },
    });
    await runJob(systemContext(), id);
    expect(await stateOf(id)).toBe("succeeded");
    expect(await person.call("POST", `/v1/jobs/${id}/retry`)).toMatchObject({
      status: 409,
      body: { code: "job-not-retryable" },
    });
  });

  it("stop a running job at its next checkpoint", async () => {
    const id = await enqueue("running");
    behave = async (ctx) => {
      expect(await person.call("POST", `/v1/jobs/${id}/cancel`)).toMatchObject({
        status: 202,
        body: { state: "running", cancelRequested: true },
      });
      await ctx.checkpoint({ done: 1, total: 2, step: "half" });
      return done();
    };
    await runJob(systemContext(), id);
    expect(await stateOf(id)).toBe("cancelled");
    expect(abandoned).toEqual(["running"]);
  });

  it("run again once for a request that was interrupted and repeated", async () => {
    const id = await enqueue();
    await age(id, "state = 'failed', ended_at = 1");
    const headers = { "idempotency-key": crypto.randomUUID() };
    expect((await person.call("POST", `/v1/jobs/${id}/retry`, { headers })).status).toBe(202);
    await bindings.DB.prepare(
      "update idempotency_keys set status = null, locked_until = 0, created_at = 1 where key = ?",
    )
      .bind(headers["idempotency-key"])
      .run();
    expect(await person.call("POST", `/v1/jobs/${id}/retry`, { headers })).toMatchObject({ status: 202, body: { id } });
    expect((await eventsOf(id)).filter((type) => type === "retried")).toEqual(["retried"]);
  });

  it("are refused for another workspace's job like for an unknown one", async () => {
    const id = await enqueue();
    const stranger = await signUp();
    for (const [method, path] of [
      ["GET", ""],
      ["POST", "/cancel"],
      ["POST", "/retry"],
      ["GET", "/events"],
    ] as const) {
      expect(await stranger.call(method, `/v1/jobs/${id}${path}`)).toMatchObject({
        status: 404,
        body: { code: "job-not-found" },
      });
    }
  });
});

describe("events", () => {
  it("stream progress and replay from Last-Event-ID", async () => {
    const id = await enqueue();
    behave = async (ctx) => {
      for (let step = 1; step <= 3; step += 1) await ctx.checkpoint({ done: step, total: 3, step: `step ${step}` });
      return done();
    };
    await runJob(systemContext(), id);
    const read = async (after?: string) =>
      new TextDecoder().decode(
        (await person.call("GET", `/v1/jobs/${id}/events`, after ? { headers: { "last-event-id": after } } : {})).bytes,
      );
    const whole = await read();
    expect(whole.match(/^event: \w+$/gm)).toEqual([
      "event: progress",
      "event: progress",
      "event: progress",
      "event: succeeded",
      "event: end",
    ]);
    const rest = await read("3");
    expect(rest.match(/^id: \d+$/gm)).toEqual(["id: 4"]);
  });

  it("stop asking the database when the reader has left", async () => {
    const id = await enqueue("waiting", Date.now() + 3_600_000);
    const { env, counts } = countingBindings();
    const execution = createExecutionContext();
    const request = new Request(`http://127.0.0.1:8787/v1/jobs/${id}/events`, {
      headers: { authorization: `Bearer ${person.token}` },
    });
    const response = await worker.fetch(request as never, env, execution);
    const reader = response.body?.getReader();
    const pending = reader?.read();
    await scheduler.wait(250);
    await reader?.cancel();
    await pending?.catch(() => undefined);
    const asked = counts.database;
    expect(asked).toBeGreaterThan(1);
    // It would have asked twice in this time.
    await scheduler.wait(700);
    expect(counts.database - asked).toBeLessThanOrEqual(1);
  });
});

describe("the queue", () => {
  const batchOf = (queue: string, bodies: unknown[]) =>
    createMessageBatch(
      queue,
      bodies.map((body, index) => ({ id: `m${index}`, timestamp: new Date(), attempts: 1, body })),
    );

  it("lets a poison message fail alone", async () => {
    const id = await enqueue();
    const batch = batchOf("overtone-delivery", [{ junk: true }, { v: 1, jobId: id }, "text"]);
    const execution = createExecutionContext();
    await consume(batch, bindings, execution);
    const result = await getQueueResult(batch, execution);
    expect(result.explicitAcks.sort()).toEqual(["m0", "m1", "m2"]);
    expect(await stateOf(id)).toBe("succeeded");
  });

  it("ends the row of a dead letter, so that nothing stays queued for ever", async () => {
    const id = await enqueue();
    const execution = createExecutionContext();
    await consume(batchOf("overtone-dead-letters", [{ v: 1, jobId: id }]), bindings, execution);
    expect(await findJobById(systemContext(), id)).toMatchObject({ state: "failed", problemCode: "job-dead-letter" });
    expect(abandoned).toEqual(["work"]);
  });

  const bury = async (id: string) => {
    const batch = batchOf("overtone-dead-letters", [{ v: 1, jobId: id }]);
    const execution = createExecutionContext();
    await consume(batch, bindings, execution);
    return getQueueResult(batch, execution);
  };

  it("undoes what the runs of a dead letter's job left", async () => {
    const id = await enqueue("half done");
    await age(id, "state = 'running', lease_token = 'dead', lease_until = 1, attempt = 1");
    await bury(id);
    expect(await stateOf(id)).toBe("failed");
    expect(abandoned).toEqual(["half done"]);
  });

  it("leaves a job alone that another message runs, or will", async () => {
    const running = await enqueue();
    behave = async () => {
      await bury(running);
      return done({ ran: true });
    };
    await runJob(systemContext(), running);
    expect(await stateOf(running)).toBe("succeeded");
    const later = await enqueue("later");
    await age(later, `run_at = ${Date.now() + 60_000}`);
    // Not asked again either: when the row is due, it is its new message that runs it.
    expect((await bury(later)).explicitAcks).toEqual(["m0"]);
    expect(await stateOf(later)).toBe("queued");
    expect(abandoned).toEqual([]);
  });

  it("is only a hint: an effect whose message was lost is offered again", async () => {
    const ctx = systemContext({
      DELIVERY_QUEUE: { send: async () => Promise.reject(new Error("overloaded")) } as never,
    });
    const row = probe.row({ ...ctx, workspaceId: person.workspaceId }, { label: "lost" });
    await commitWithJobs(ctx, [auditEntry(ctx, "test.cause")], [row]);
    expect(await stateOf(row.jobId)).toBe("queued");
    await age(row.jobId, "offered_at = 1");
    const offered: string[] = [];
    const sweeper = systemContext();
    sweeper.offer = async (message) => {
      offered.push(message.jobId);
    };
    await sweep(sweeper);
    expect(offered).toContain(row.jobId);
  });
});
