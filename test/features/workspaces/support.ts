/** Teams for the tests: a workspace with its people, made through the API. */
import { mailsTo } from "#test/support/mails";
import { bindings, type Called, type Person, signUp } from "#test/support/harness";

export interface Team {
  id: string;
  owner: Person;
}

export async function makeTeam(body: Record<string, unknown> = {}): Promise<Team> {
  const owner = await signUp();
  const made = await owner.call("POST", "/v1/workspaces", { body: { name: "A team", ...body } });
  if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  return { id: made.body.id as string, owner };
}

/** The token that was mailed last to the address. */
export async function mailedToken(email: string): Promise<string> {
  const text = (await mailsTo(email)).at(-1)?.text ?? "";
  const [, token] = /\/console\/invitations\/([\w-]+)/.exec(text) ?? [];
  if (token === undefined) throw new Error(`no invitation was mailed to ${email}`);
  return token;
}

export const invite = (team: Team, email: string, role = "member"): Promise<Called> =>
  team.owner.call("POST", `/v1/workspaces/${team.id}/invitations`, { body: { email, role } });

/** A new person who joined by invitation; owners are made of members afterwards. */
export async function join(team: Team, role: "owner" | "admin" | "member" | "viewer"): Promise<Person> {
  const person = await signUp();
  await invite(team, person.email, role === "owner" ? "member" : role);
  const joined = await person.call("POST", `/v1/invitations/${await mailedToken(person.email)}/accept`);
  if (joined.status !== 200) throw new Error(JSON.stringify(joined.body));
  if (role === "owner")
    await team.owner.call("PATCH", `/v1/workspaces/${team.id}/members/${person.userId}`, { body: { role } });
  return person;
}

export async function rolesIn(id: string): Promise<Record<string, string>> {
  const { results } = await bindings.DB.prepare("select user_id, role from workspace_members where workspace_id = ?")
    .bind(id)
    .all<{ user_id: string; role: string }>();
  return Object.fromEntries(results.map((row) => [row.user_id, row.role]));
}
