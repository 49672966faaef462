/** New accounts on a stage, with the limits of a load test. */
import { randomBytes } from "node:crypto";
import type { Stage } from "./stage.ts";
import { liftLimits } from "./state.ts";

export interface Person {
  email: string;
  password: string;
  userId: string;
  workspaceId: string;
  /** An opaque session token: it outlives every run. */
  token: string;
}

/** Starts the server, makes accounts, lifts their limits while it is stopped, and starts it again. */
export async function startWithPeople(stage: Stage, count: number): Promise<Person[]> {
  await stage.start();
  const people: Person[] = [];
  for (let index = 0; index < count; index += 1) people.push(await signUp(stage.url));
  await stage.stop();
  liftLimits(stage.stateDir);
  await stage.start();
  return people;
}

interface Registered {
  user: { id: string };
  workspace: { id: string };
  session: { token: string };
}

export async function signUp(url: string): Promise<Person> {
  const email = `bar-${randomBytes(8).toString("hex")}@example.com`;
  const password = randomBytes(18).toString("base64url");
  const answer = await fetch(`${url}/v1/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password, signIn: true, sessionKind: "opaque" }),
  });
  if (answer.status !== 201) throw new Error(`register answered ${answer.status} ${await answer.text()}`);
  const { user, workspace, session } = (await answer.json()) as Registered;
  return { email, password, userId: user.id, workspaceId: workspace.id, token: session.token };
}
