/** OpenAI's responses: what came before is put in front of the input by us, and what is to be kept is kept by us, under our ids. */
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { contextOf, type Conversation, keepResponse, readResponse } from "./kept-responses.ts";
import { operations } from "./operations.ts";
import { type Retelling, serveModel } from "./serve.ts";

/** As large as the body of a request may be. */
const maxInputBytes = 20 * 1024 * 1024;

type Body = JsonObject & { model: string };

interface Asked {
  id: string;
  body: Body;
  context: JsonObject[];
  items: JsonObject[];
}

/** Throws `previous-response-not-found`, `body-too-large` and what `serveModel` throws. */
export async function createResponse(
  ctx: WorkspaceCtx,
  { body, request }: { body: Body; request: Request },
): Promise<Response> {
  const context = await previousOf(ctx, body);
  const asked = { id: ctx.newId("response"), body, context, items: itemsOf(ctx, body["input"]) };
  const { previous_response_id: _, input, ...rest } = body;
  const whole = context.length === 0 ? input : [...context, ...asList(input)];
  return serveModel(ctx, {
    operation: operations.responses,
    body: { ...rest, input: whole, store: false } as Body,
    request,
    store: body["store"],
    retelling: retellingOf(ctx, asked),
  });
}

async function previousOf(ctx: WorkspaceCtx, { previous_response_id: id, input }: Body): Promise<JsonObject[]> {
  if (typeof id !== "string") return [];
  const previous = await readResponse(ctx, id);
  if (!previous)
    throw new Problem("previous-response-not-found", {
      detail: `Previous response with id '${id.slice(0, 100)}' not found.`,
      members: { param: "previous_response_id" },
    });
  if (previous.sizeBytes + Buffer.byteLength(JSON.stringify(input)) > maxInputBytes)
    throw new Problem("body-too-large", { detail: `With all that came before, at most ${maxInputBytes} bytes.` });
  return contextOf(previous);
}

function asList(input: unknown): JsonObject[] {
  if (Array.isArray(input)) return input.filter(isObject);
  return [{ type: "message", role: "user", content: [{ type: "input_text", text: input }] }];
}

const itemPrefixes: Record<string, string> = { message: "msg", function_call: "fc", function_call_output: "fco" };

/** The input as it is listed: with type and id, and a text as a part. */
function itemsOf(ctx: WorkspaceCtx, input: unknown): JsonObject[] {
  return asList(input).map((item) => {
    const type = typeof item["type"] === "string" ? item["type"] : "message";
    const { content } = item;
    const part = { type: item["role"] === "assistant" ? "output_text" : "input_text", text: content };
    const id = item["id"] ?? `${itemPrefixes[type] ?? "item"}_${Buffer.from(ctx.random(16)).toString("hex")}`;
    return { ...item, type, id, ...(typeof content === "string" ? { content: [part] } : {}) };
  });
}

function retellingOf(ctx: WorkspaceCtx, asked: Asked): Retelling {
  const isWanted = asked.body["store"] !== false;
  const shown = (response: JsonObject) => shownOf(ctx, asked, response);
  const keep = async (response: JsonObject): Promise<JsonObject> => {
    if (!isWanted) return response;
    const { context, items, id } = asked;
    const conversation: Conversation = { context, items, response };
    try {
      await keepResponse(ctx, id, conversation);
      return response;
    } catch (error) {
      // It was answered and is paid for: better told as not kept than not told.
      ctx.log("error", "response.not-kept", { responseId: id, error });
      return { ...response, store: false };
    }
  };
  return {
    isSame: !isWanted,
    answer: (response) => keep(shown(response)),
    async event(data) {
      const { type, response } = data;
      if (!isObject(response)) return data;
      const isLast = type === "response.completed" || type === "response.incomplete";
      return { ...data, response: isLast ? await keep(shown(response)) : shown(response) };
    },
  };
}

/** What a response repeats of its request, as it stands where the request does not say. */
const unset = {
  instructions: null,
  max_output_tokens: null,
  metadata: {},
  parallel_tool_calls: true,
  temperature: 1,
  text: { format: { type: "text" } },
  tool_choice: "auto",
  tools: [],
  top_p: 1,
  truncation: "disabled",
} as const satisfies JsonObject;

/** A provider without this API repeats nothing of the request. */
function shownOf(ctx: WorkspaceCtx, { id, body }: Asked, response: JsonObject): JsonObject {
  const repeated = Object.entries(unset).map(([name, value]) => [name, response[name] ?? body[name] ?? value]);
  const created = response["created_at"];
  return {
    ...response,
    ...Object.fromEntries(repeated),
    id,
    created_at: typeof created === "number" && created > 0 ? created : Math.floor(ctx.now() / 1_000),
    previous_response_id: body["previous_response_id"] ?? null,
    store: body["store"] !== false,
  };
}
