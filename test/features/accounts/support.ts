/** What tests of accounts share: a server that asks for verification, and the codes that it mails. */
import { runJob } from "#app/run-job";
import type { Bindings } from "#core/env";
import { bindings, systemContext } from "#test/support/harness";
import { mailedCode } from "#test/support/mails";

export const verifying = { ...bindings, EMAIL_VERIFICATION_ENABLED: "true" } as unknown as Bindings;
export const unique = () => `${crypto.randomUUID()}@example.com`;
export const password = "a long enough secret 42";
export const username = () => `u${crypto.randomUUID().slice(0, 12)}`;

/** Runs the jobs that mail codes which were asked for by address. */
export async function runCodeJobs(address: string): Promise<void> {
  const { results } = await bindings.DB.prepare(
    "select id from jobs where name = 'accounts.mail-code' and ended_at is null and payload ->> 'address' = ?",
  )
    .bind(address)
    .all<{ id: string }>();
  for (const { id } of results)
    for (let round = 0; round < 100 && (await runJob(systemContext(), id)) === "not-claimed"; round += 1)
      await scheduler.wait(10);
}

/** The code that was mailed to somebody who asked by address. */
export async function askedCode(address: string, template: "sign-in-code" | "reset-password"): Promise<string> {
  await runCodeJobs(address);
  return mailedCode(address, template);
}

export const without = (body: Record<string, unknown>, ...names: string[]) =>
  Object.fromEntries(Object.entries(body).filter(([name]) => !names.includes(name)));
