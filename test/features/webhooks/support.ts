/** Endpoints at the receiver on loopback, and waiting for what is sent there. */
import { inject } from "vitest";
import { commitWithJobs } from "#core/job";
import { webhookEvent } from "#features/webhooks/service";
import { runJob } from "#app/run-job";
import { bindings, type Person, systemContext } from "#test/support/harness";
import type { Received } from "#test/support/receiver";

export const receiver = inject("receiver");

export async function received(box: string): Promise<Received[]> {
  return (await fetch(`${receiver}/box/${box}`)).json();
}

export interface Endpoint {
  id: string;
  secret: string;
  box: string;
  url: string;
}

/** An endpoint that answers with a status (or `slow`). */
export async function addEndpoint(person: Person, how: number | "slow" = 200, events?: string[]): Promise<Endpoint> {
  const box = crypto.randomUUID();
  const url = `${receiver}/${how}/${box}`;
  const made = await person.call("POST", "/v1/webhooks", { body: { url, ...(events ? { events } : {}) } });
  if (made.status !== 201) throw new Error(`${made.status} ${JSON.stringify(made.body)}`);
  return { id: made.body.id, secret: made.body.secret, box, url };
}

/** Tells the workspace's endpoints of a conversion, and runs what is due. */
export async function emit(person: Person, data: Record<string, unknown> = { conversionId: "conv_1" }): Promise<void> {
  const ctx = { ...systemContext(), workspaceId: person.workspaceId };
  await commitWithJobs(ctx, [], webhookEvent(ctx, "conversion.completed", data));
  await runDue(person);
}

/** Runs the webhook jobs of a workspace that are due, unless the queue is just running them. */
export async function runDue(person: Person): Promise<void> {
  const due = `select id from jobs where workspace_id = ? and name like 'webhooks.%' and ended_at is null and run_at <= ?`;
  for (let round = 0; round < 500; round += 1) {
    const { results } = await bindings.DB.prepare(due).bind(person.workspaceId, Date.now()).all<{ id: string }>();
    if (results.length === 0) return;
    for (const { id } of results) if ((await runJob(systemContext(), id)) === "not-claimed") await scheduler.wait(10);
  }
  throw new Error("webhook jobs do not end");
}

/** Makes the next try of every waiting delivery due now. */
export async function hurry(person: Person): Promise<void> {
  await bindings.DB.prepare(
    `update jobs set run_at = ? where workspace_id = ? and name = 'webhooks.deliver' and ended_at is null`,
  )
    .bind(Date.now() - 1, person.workspaceId)
    .run();
  await runDue(person);
}
