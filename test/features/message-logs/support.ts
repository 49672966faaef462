/** Model requests of people, and what the log has of them. */
import type { Bindings } from "#core/env";
import type { MessageEntry } from "#core/message-log";
import type { MessageLogMessage } from "#core/work";
import { bindings, type Person, systemContext } from "#test/support/harness";
import { clientOf, configured } from "../chat/client.ts";

export const ask = (text: string, model = "gpt-4o-mini") => ({
  model,
  messages: [{ role: "user" as const, content: text }],
});

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into entries freely
export type Entry = any;

export async function logOf(person: Pick<Person, "call">, query = ""): Promise<Entry[]> {
  const { status, body } = await person.call("GET", `/v1/message-logs${query}`);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.items;
}

/** One question, answered, and behind it. */
export async function chat(credential: string, text: string, env: Bindings = configured): Promise<void> {
  const { api, settled } = clientOf(credential, env);
  await api.chat.completions.create(ask(text));
  await settled();
}

export function switchLog(person: Person, messageLog: string, workspaceId = person.workspaceId) {
  return person.call("PATCH", `/v1/workspaces/${workspaceId}`, { body: { settings: { messageLog } } });
}

export function entryOf(person: Person, change: Partial<MessageEntry> = {}): MessageEntry {
  const ctx = systemContext();
  return {
    id: ctx.newId("message"),
    workspaceId: person.workspaceId,
    userId: person.userId,
    keyId: null,
    mode: "live",
    operation: "chat",
    model: "gpt-4o-mini",
    provider: "openai",
    status: "succeeded",
    httpStatus: 200,
    errorCode: null,
    isStream: false,
    isCached: false,
    inputTokens: 3,
    cachedInputTokens: 1,
    outputTokens: 4,
    isEstimated: false,
    costMicroUsd: 5,
    durationMs: 6,
    promptStyle: null,
    isResearched: false,
    requestId: "req_test",
    address: null,
    messages: "{}",
    at: ctx.now(),
    ...change,
  };
}

/** A queue that keeps what it is sent, or fails. */
export function recordingQueue(counting: Bindings = bindings): {
  env: Bindings;
  sent: MessageLogMessage[];
  fail(count: number): void;
} {
  const sent: MessageLogMessage[] = [];
  let failures = 0;
  const queue = {
    async send(message: unknown) {
      if (failures > 0) {
        failures -= 1;
        throw new Error("the queue is not there");
      }
      if ("messageLogs" in Object(message)) sent.push(message as MessageLogMessage);
    },
  };
  const env = {
    ...configured,
    ...counting,
    DELIVERY_QUEUE: queue,
    KEY_USAGE_FLUSH_SECONDS: "1",
  } as unknown as Bindings;
  return {
    env,
    sent,
    fail: (count) => {
      failures = count;
    },
  };
}

export async function rowsOf(userId: string): Promise<Entry[]> {
  const { results } = await bindings.DB.prepare("select * from message_logs where user_id = ? order by id")
    .bind(userId)
    .all();
  return results;
}
