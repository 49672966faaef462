/** A team of staff for tests: one person of each role and level, signed in, as the database says it. */
import type { SupportLevel } from "#core/access";
import { bindings, type Person, signUp } from "#test/support/harness";

export async function withRole(role: string, level: SupportLevel | null = null): Promise<Person> {
  const person = await signUp();
  await bindings.DB.prepare("update users set role = ?, support_level = ? where id = ?")
    .bind(role, level, person.userId)
    .run();
  return person;
}

export const makeTeam = async () => ({
  user: await signUp(),
  developer: await withRole("developer"),
  new: await withRole("support", "new"),
  support: await withRole("support", "support"),
  advanced: await withRole("support", "advanced"),
  admin: await withRole("admin"),
  superadmin: await withRole("superadmin"),
});

export type Team = Awaited<ReturnType<typeof makeTeam>>;

/** The newest entry of the trail about a target. */
export async function lastEntry(target: string) {
  const row = await bindings.DB.prepare("select * from audit_log where target = ? order by id desc limit 1")
    .bind(target)
    .first<Record<string, unknown>>();
  const read = (name: string) =>
    JSON.parse((row?.[name] as string | null | undefined) ?? "null") as Record<string, unknown> | null;
  return { ...row, before: read("before"), after: read("after"), details: read("details") };
}
