/** Runs the jobs of a workspace by name, as the queue would. */
import { runJob } from "#app/run-job";
import { bindings, systemContext } from "#test/support/harness";

export async function runDueJobs(workspaceId: string, name: string): Promise<void> {
  const { results } = await bindings.DB.prepare(
    "select id from jobs where workspace_id = ? and name = ? and state = 'queued'",
  )
    .bind(workspaceId, name)
    .all<{ id: string }>();
  for (const { id } of results) await runJob(systemContext(), id);
}
