/** Calls that have to succeed: what a run makes for itself, apart from what it asks. */
import type { Json } from "./policy.ts";

export interface CallOptions {
  token: string;
  workspaceId?: string;
  method?: string;
  body?: object;
}

/** Throws unless the answer is a success. */
export async function call(url: string, path: string, { token, workspaceId, method, body }: CallOptions) {
  const asked = method ?? "POST";
  const answer = await fetch(`${url}${path}`, {
    method: asked,
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      ...(workspaceId === undefined ? {} : { "x-workspace-id": workspaceId }),
    },
    body: asked === "GET" ? null : JSON.stringify(body ?? {}),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path} answered ${answer.status} ${text}`);
  return (text === "" ? null : JSON.parse(text)) as Json;
}

export async function signIn(url: string, credentials: object): Promise<Json> {
  const answer = await fetch(`${url}/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...credentials, sessionKind: "opaque" }),
  });
  if (!answer.ok) throw new Error(`sign-in answered ${answer.status} ${await answer.text()}`);
  return answer.json();
}
