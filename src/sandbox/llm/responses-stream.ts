/** The events of a streamed response, with OpenAI's names and in its order. */
import type { Piece } from "./delivery.ts";
import type { Fields } from "./fields.ts";
import type { Reply } from "./reply.ts";

interface Streamed {
  /** As it stands before the answer. */
  started: Fields;
  /** As it stands at the end. */
  response: Fields;
  output: readonly Fields[];
  reply: Reply;
}

interface Event {
  type: string;
  isToken?: boolean;
  [field: string]: unknown;
}

export function* responsePieces(streamed: Streamed): Generator<Piece> {
  let sequence = 0;
  for (const { type, isToken = false, ...rest } of events(streamed)) {
    yield {
      data: `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence, ...rest })}\n\n`,
      isToken,
    };
    sequence += 1;
  }
}

export function responseErrorEvent(): string {
  const body = {
    type: "error",
    sequence_number: 0,
    code: "server_error",
    message: "The server had an error while processing your request.",
    param: null,
  };
  return `event: error\ndata: ${JSON.stringify(body)}\n\n`;
}

function* events({ started, response, output, reply }: Streamed): Generator<Event> {
  yield { type: "response.created", response: started };
  yield { type: "response.in_progress", response: started };
  for (const [index, item] of output.entries()) {
    const call = reply.calls[index];
    yield* call ? callEvents(item, index, call.argumentTokens) : messageEvents(item, index, reply);
    yield { type: "response.output_item.done", output_index: index, item };
  }
  yield { type: `response.${String(response["status"])}`, response };
}

/** The event that names the function is its token. */
function* callEvents(item: Fields, index: number, argumentTokens: readonly string[]): Generator<Event> {
  const place = { item_id: item["id"], output_index: index };
  const opened = { ...item, status: "in_progress", arguments: "" };
  yield { type: "response.output_item.added", isToken: true, output_index: index, item: opened };
  for (const delta of argumentTokens)
    yield { type: "response.function_call_arguments.delta", isToken: true, ...place, delta };
  const given = argumentTokens.join("");
  yield { type: "response.function_call_arguments.done", ...place, name: item["name"], arguments: given };
}

function* messageEvents(item: Fields, index: number, { tokens, ending }: Reply): Generator<Event> {
  const place = { item_id: item["id"], output_index: index, content_index: 0 };
  const text = tokens.join("");
  const isRefusal = ending === "refused";
  const partWith = (given: string) =>
    isRefusal
      ? { type: "refusal", refusal: given }
      : { type: "output_text", annotations: [], logprobs: [], text: given };
  const opened = { ...item, status: "in_progress", content: [] };
  yield { type: "response.output_item.added", output_index: index, item: opened };
  yield { type: "response.content_part.added", ...place, part: partWith("") };
  const name = isRefusal ? "response.refusal" : "response.output_text";
  const marks = isRefusal ? {} : { logprobs: [] };
  for (const delta of tokens) yield { type: `${name}.delta`, isToken: true, ...place, delta, ...marks };
  yield { type: `${name}.done`, ...place, [isRefusal ? "refusal" : "text"]: text, ...marks };
  yield { type: "response.content_part.done", ...place, part: partWith(text) };
}
