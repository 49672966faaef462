/** Workspaces with guardrails, and models that say what they are told. */
import type { APIError } from "openai";
import { expect } from "vitest";
import type { Called, Person } from "#test/support/harness";
import type { Client } from "#test/features/chat/client";

export const secretWord = {
  id: "no-secret",
  name: "No project names",
  kind: "words",
  when: "both",
  action: "block",
  words: ["bluebird"],
};

/** Takes the place of what the workspace had. */
export async function setGuardrails(person: Person, change: Record<string, unknown>): Promise<Called> {
  const { body } = await person.call("GET", "/v1/guardrails");
  const answer = await person.call("PUT", "/v1/guardrails", { body: { version: body.version, ...change } });
  expect(answer.status).toBe(200);
  return answer;
}

export const ask = (content: string | object[], more: object = {}) => ({
  model: "gpt-4o-mini",
  messages: [{ role: "user" as const, content: content as string }],
  ...more,
});

export async function said({ api }: Client, body: ReturnType<typeof ask>): Promise<string> {
  const answer = await api.chat.completions.create(body);
  return answer.choices[0]?.message.content ?? "";
}

export async function streamed(
  { api }: Client,
  body: ReturnType<typeof ask>,
): Promise<{ text: string; events: number }> {
  let text = "";
  let events = 0;
  for await (const chunk of await api.chat.completions.create({ ...body, stream: true })) {
    events += 1;
    text += chunk.choices[0]?.delta.content ?? "";
  }
  return { text, events };
}

/** What the call was refused with. */
export async function refusal(call: Promise<unknown>): Promise<APIError> {
  const error = await call.then(
    () => null,
    (problem: unknown) => problem,
  );
  expect(error).not.toBeNull();
  return error as APIError;
}
