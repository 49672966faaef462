/**
 * The simulated model companies' HTTP API: who may ask, which act answers, and what a model's name makes go wrong. It knows OpenAI's
 * and Anthropic's wire formats; every answer says by `x-sandbox: 1` that no model made it.
 */
import type { SandboxCtx } from "../context.ts";
import { createMessage, countMessageTokens } from "./anthropic.ts";
import { readBody } from "./body.ts";
import type { Act, Call } from "./call.ts";
import { completeChat } from "./chat.ts";
import { completeText } from "./completions.ts";
import { openTally, readCounts, type Tally } from "./counters.ts";
import { type Delivery, send } from "./delivery.ts";
import { hashOf } from "./dice.ts";
import { embed } from "./embeddings.ts";
import { anthropicError, anthropicStatus, badKey, LlmFailure, noKey, openaiError, quotaExhausted } from "./failure.ts";
import { faultOf } from "./faults.ts";
import { editImages, generateImages, pictureAt } from "./images.ts";
import { misbehave, userOf } from "./misbehave.ts";
import { describeModel, listModels } from "./models.ts";
import { moderate } from "./moderations.ts";
import { cancelResponse, createResponse, deleteResponse, listInputItems, readResponse } from "./responses.ts";
import { speak } from "./speech.ts";
import { transcribe, translate } from "./transcription.ts";

/** `:` stands for an id. */
const acts: Record<string, Act> = {
  "GET models": listModels,
  "POST chat/completions": completeChat,
  "POST completions": completeText,
  "POST responses": createResponse,
  "GET responses/:": readResponse,
  "DELETE responses/:": deleteResponse,
  "POST responses/:/cancel": cancelResponse,
  "GET responses/:/input_items": listInputItems,
  "POST embeddings": embed,
  "POST audio/transcriptions": transcribe,
  "POST audio/translations": translate,
  "POST audio/speech": speak,
  "POST images/generations": generateImages,
  "POST images/edits": editImages,
  "POST moderations": moderate,
  "POST messages": createMessage,
  "POST messages/count_tokens": countMessageTokens,
};

/** @param path below /__sandbox/llm, without a slash at its start */
export async function answerLlm(ctx: SandboxCtx, request: Request, path: string): Promise<Response> {
  const requestId = `req_${[...ctx.random(16)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const headers = { "x-request-id": requestId, "request-id": requestId, "x-sandbox": "1", "cache-control": "no-store" };
  const query = new URL(request.url).searchParams;
  const open = request.method === "GET" ? answerOpenly(path, query, headers) : null;
  if (open) return open;
  const asked = path.startsWith("v1/") ? path.slice("v1/".length) : null;
  try {
    if (asked === null) throw unknownRoute(request.method, path);
    return await answerApi(ctx, request, { path: asked, headers, query });
  } catch (error) {
    if (!(error instanceof LlmFailure)) throw error;
    return asked !== null && /^messages(?:\/|$)/.test(asked)
      ? Response.json(anthropicError(error, requestId), {
          status: anthropicStatus(error),
          headers: { ...headers, ...error.options.headers },
        })
      : Response.json(openaiError(error), { status: error.status, headers: { ...headers, ...error.options.headers } });
  }
}

/** What is read without a key: the counters, and the pictures that an answer's URL names. */
function answerOpenly(path: string, query: URLSearchParams, headers: Record<string, string>): Response | null {
  if (path === "counters") return Response.json(readCounts(query.get("model"), query.get("user")), { headers });
  const picture = path.startsWith("images/") ? pictureAt(path.slice("images/".length)) : null;
  return picture && new Response(picture, { headers: { ...headers, "content-type": "image/png" } });
}

interface Asked {
  path: string;
  headers: Record<string, string>;
  query: URLSearchParams;
}

async function answerApi(ctx: SandboxCtx, request: Request, { path, headers, query }: Asked): Promise<Response> {
  const owner = requireKey(request);
  const { act, id } = actFor(request.method, path);
  const { fields, files } = await readBody(request, { keepsFiles: path.startsWith("audio/") });
  const model = typeof fields["model"] === "string" ? fields["model"] : "";
  const user = userOf(fields);
  const tally = openTally({ model, user });
  try {
    const fault = faultOf(model);
    await misbehave(fault, { model, fields, signal: request.signal });
    const call: Call = { ctx, fields, files, query, fault, owner, id, headers: request.headers };
    const delivery: Delivery = { fault, signal: request.signal, tally, headers };
    return await send(await act(call), delivery);
  } catch (error) {
    tally.end(endingOf(error, request.signal));
    throw error;
  }
}

function endingOf(error: unknown, signal: AbortSignal): Parameters<Tally["end"]>[0] {
  if (signal.aborted) return "aborted";
  return error instanceof LlmFailure ? "finished" : "broken";
}

/** Every key is taken, but for the two whose names say why they are not. Gives a hash of it. */
function requireKey(request: Request): string {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const key = request.headers.get("x-api-key") ?? bearer;
  if (key === undefined) throw noKey();
  if (key === "sk-sandbox-invalid") throw badKey();
  if (key === "sk-sandbox-exhausted") throw quotaExhausted();
  return hashOf(key);
}

function actFor(method: string, path: string): { act: Act; id: string } {
  // Ids of models may contain slashes.
  if (method === "GET" && path.startsWith("models/")) {
    const id = decoded(path.slice("models/".length));
    faultOf(id);
    return { act: describeModel, id };
  }
  const parts = path.split("/");
  const id = parts[0] === "responses" ? (parts[1] ?? "") : "";
  const pattern = parts.map((part, index) => (id !== "" && index === 1 ? ":" : part)).join("/");
  const act = Object.hasOwn(acts, `${method} ${pattern}`) ? acts[`${method} ${pattern}`] : undefined;
  if (!act) throw unknownRoute(method, `v1/${path}`);
  return { act, id };
}

/** What is no percent-encoding stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function unknownRoute(method: string, path: string): LlmFailure {
  return new LlmFailure(404, `Invalid URL (${method} /${path.slice(0, 100)})`);
}
