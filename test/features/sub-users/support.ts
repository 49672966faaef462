/** Sub-users for the tests, made and signed in through the API. */
import { type Called, call, type CallOptions, type Person, signUp } from "#test/support/harness";

export interface Child {
  id: string;
  email: string;
  password: string;
  token: string;
  call(method: string, path: string, options?: CallOptions): Promise<Called>;
}

const password = "a long enough pass phrase";

export const signIn = (email: string): Promise<Called> => call("POST", "/v1/auth/login", { body: { email, password } });

/** A sub-user in the parent's personal workspace unless `workspaceId` says otherwise. */
export async function makeChild(
  parent: Person,
  body: Record<string, unknown> = {},
  workspaceId?: string,
): Promise<Child> {
  const email = `child-${crypto.randomUUID()}@example.com`;
  const headers = { "x-workspace-id": workspaceId ?? parent.workspaceId };
  const made = await parent.call("POST", "/v1/sub-users", { body: { email, password, ...body }, headers });
  if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  const login = await signIn(email);
  if (login.status !== 200) throw new Error(JSON.stringify(login.body));
  const token = login.body.access_token as string;
  return {
    id: made.body.id as string,
    email,
    password,
    token,
    call: (method, path, options = {}) => call(method, path, { as: token, ...options }),
  };
}

export async function family(body: Record<string, unknown> = {}): Promise<{ parent: Person; child: Child }> {
  const parent = await signUp();
  return { parent, child: await makeChild(parent, body) };
}
