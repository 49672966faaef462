/**
 * Holds the events of a stream against the rules while they pass. What an answer keeps or breaks as a whole is judged before its clean end is let
 * out. A rule that blocks ends the stream there.
 */
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import { Problem } from "#core/problem";
import type { EventBatch, StreamEvent } from "#lib/event-stream";
import { openChannels, type Channels } from "./channels.ts";
import { checkWhole, type Judge, visitorOf } from "./judge.ts";
import { isText, mapAnswer, mapTexts } from "./texts.ts";

export interface StreamGuard {
  /** What of the events may be told now. Broken where a rule does not let the stream go on. */
  pass(batch: EventBatch): EventBatch;
  /** What was held back, at the end; null: nothing was. */
  end(): EventBatch | null;
  /** Why the stream does not go on. */
  refusal(): Problem | null;
  /** What was read, told or not: it is what the provider is paid for. */
  read(): { chunks: number; textLength: number };
}

interface Walk {
  judge: Judge;
  channels: Channels;
}

export function openStreamGuard(judge: Judge, guarded: (work: () => StreamEvent[]) => StreamEvent[]): StreamGuard {
  const channels = openChannels(judge);
  const walk = { judge, channels };
  let refusal: Problem | null = null;
  const passed = (work: () => StreamEvent[], flags: Pick<EventBatch, "isDone" | "isBroken">): EventBatch => {
    try {
      return batchOf(guarded(work), flags);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      refusal = error;
      return batchOf([], { isDone: false, isBroken: true });
    }
  };
  return {
    pass: ({ events, ...flags }) =>
      passed(
        () => [...events.flatMap((event) => passEvent(walk, event)), ...(flags.isDone ? channels.flush("") : [])],
        flags,
      ),
    end() {
      const batch = passed(() => channels.flush(""), { isDone: false, isBroken: false });
      return batch.events.length > 0 || batch.isBroken ? batch : null;
    },
    refusal: () => refusal,
    read: () => channels.read,
  };
}

function passEvent(walk: Walk, event: StreamEvent): StreamEvent[] {
  const { data } = event;
  if (!isObject(data)) return [event];
  const { choices, type } = data;
  if (!Array.isArray(choices)) return typeof type === "string" ? passTyped(walk, { event, data, type }) : [event];
  const rest: StreamEvent[] = [];
  const shown = choices.map((choice: unknown, position) =>
    isObject(choice) ? passChoice(walk, { choice, data, position, rest }) : choice,
  );
  return [...rest, { ...event, data: { ...data, choices: shown } }];
}

type Steps = readonly (string | number)[];

interface OneChoice {
  choice: JsonObject;
  /** The event that it stands in. */
  data: JsonObject;
  position: number;
  /** Events that have to be told before. */
  rest: StreamEvent[];
}

function passChoice(walk: Walk, { choice, data, position, rest }: OneChoice): JsonObject {
  const index = typeof choice["index"] === "number" ? choice["index"] : position;
  const isEnd = typeof choice["finish_reason"] === "string";
  const said = Object.fromEntries(
    ["delta", "text"]
      .filter((name) => name in choice)
      .map((name) => [name, mapDelta(walk.channels, choice[name], { steps: [index, name], data, isEnd })]),
  );
  if (isEnd) {
    rest.push(...walk.channels.flush(`[${index},`));
    checkChoice(walk, index);
  }
  const pieces = walk.judge.stage.texts.length > 0 && "logprobs" in choice ? { logprobs: null } : {};
  return { ...choice, ...said, ...pieces };
}

interface InDelta {
  steps: Steps;
  data: JsonObject;
  isEnd: boolean;
}

/** A delta with every text in it as it may be told. */
function mapDelta(channels: Channels, value: unknown, at: InDelta): unknown {
  const { steps, data, isEnd } = at;
  const inner = (step: string | number, one: unknown) => mapDelta(channels, one, { ...at, steps: [...steps, step] });
  if (typeof value === "string") {
    if (!isText(String(steps.at(-1)), value)) return value;
    const eventWith = (text: string) => chunkWith(data, steps, text);
    return channels.told({ channel: JSON.stringify(steps), text: value, isEnd, eventWith });
  }
  if (Array.isArray(value))
    return value.map((item: unknown, position) =>
      inner(isObject(item) && typeof item["index"] === "number" ? item["index"] : position, item),
    );
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([member, one]) => [member, inner(member, one)]));
}

/** What one choice has said, once it has ended. */
function checkChoice({ judge, channels }: Walk, index: number): void {
  const { schemas } = judge.stage;
  if (schemas.length === 0) return;
  const own = channels.saidIn(`[${index},`);
  const content = own.filter(({ name }) => /^\[\d+,"(?:delta","content"|text")/.test(name)).map(({ said }) => said);
  const message = { content: content.join(""), ...(own.length > content.length ? { tool_calls: [] } : {}) };
  checkWhole({ ...judge, stage: { texts: [], schemas, sizes: [] } }, { choices: [{ message }] }, null);
}

/** An event of a response's stream: it says what it is, and the last ones say everything once more. */
function passTyped(
  { judge, channels }: Walk,
  { event, data, type }: { event: StreamEvent; data: JsonObject; type: string },
): StreamEvent[] {
  const about = ["item_id", "output_index", "content_index", "summary_index"].map((name) => data[name]);
  const channel = JSON.stringify([type.replace(/\.(?:delta|done)$/, ""), ...about]);
  const hasTexts = judge.stage.texts.length > 0;
  const bare = hasTexts ? Object.fromEntries(Object.entries(data).filter(([name]) => name !== "logprobs")) : data;
  const { delta, response } = data;
  if (type.endsWith(".delta") && typeof delta === "string") {
    const eventWith = (text: string) => ({ ...bare, delta: text });
    return [{ ...event, data: eventWith(channels.told({ channel, text: delta, isEnd: false, eventWith })) }];
  }
  const isLast = type === "response.completed" || type === "response.incomplete";
  const rest = channels.flush(isLast ? "" : channel);
  if (isLast && isObject(response)) checkWhole(judge, response, null);
  if (!hasTexts) return [...rest, event];
  const visitor = visitorOf(judge);
  const shown = isObject(response) ? { ...data, response: mapAnswer(response, visitor) } : mapTexts(bare, visitor);
  return [...rest, { ...event, data: shown }];
}

function batchOf(events: StreamEvent[], flags: Pick<EventBatch, "isDone" | "isBroken">): EventBatch {
  const text = events.map(
    ({ name, data }) => `${name === null ? "" : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`,
  );
  const done = flags.isDone ? "data: [DONE]\n\n" : "";
  const { isDone, isBroken } = flags;
  return { events, isDone, isBroken, bytes: Uint8Array.from(Buffer.from(text.join("") + done)) };
}

/** A chunk like another one that carries a text at one place of one choice. */
function chunkWith(data: JsonObject, [index, ...path]: Steps, text: string): JsonObject {
  const inside = path.reduceRight<unknown>((inner, step) => {
    if (typeof step === "string") return { [step]: inner };
    return [isObject(inner) ? { index: step, ...inner } : inner];
  }, text);
  return { ...data, usage: null, choices: [{ index, finish_reason: null, ...(inside as JsonObject) }] };
}
