/**
 * The simulated companies that hear: OpenAI's wire format below `v1/audio`, Deepgram's at `v1/listen`, ElevenLabs' at `v1/speech-to-text`, Workers AI's
 * below `run`. All of them hear by the same recogniser, and a model's name makes go wrong what it makes go wrong at the model companies.
 */
import type { SandboxCtx } from "../context.ts";
import { answerLlm } from "../llm/api.ts";
import { openTally } from "../llm/counters.ts";
import { type Delivery, send } from "../llm/delivery.ts";
import { badKey, LlmFailure, noKey, quotaExhausted } from "../llm/failure.ts";
import { faultOf } from "../llm/faults.ts";
import { misbehave } from "../llm/misbehave.ts";
import { type Company, deepgram, elevenLabs, workersAi } from "./companies.ts";
import { recognise } from "./recognise.ts";

/** @param path below /__sandbox/speech, without a slash at its start */
export async function answerSpeech(ctx: SandboxCtx, request: Request, path: string): Promise<Response> {
  const company = companyFor(request.method, path);
  if (!company) return answerLlm(ctx, request, path);
  const requestId = [...ctx.random(16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const headers = { "x-request-id": requestId, "x-sandbox": "1", "cache-control": "no-store" };
  try {
    return await answerFor(company, { request, path, requestId, headers });
  } catch (error) {
    if (!(error instanceof LlmFailure)) throw error;
    const body = company.errorBody(error, requestId);
    return Response.json(body, { status: error.status, headers: { ...headers, ...error.options.headers } });
  }
}

function companyFor(method: string, path: string): Company | null {
  if (method !== "POST") return null;
  if (path === "v1/listen") return deepgram;
  if (path === "v1/speech-to-text") return elevenLabs;
  return path.startsWith("run/") ? workersAi : null;
}

interface Asked {
  request: Request;
  path: string;
  requestId: string;
  headers: Record<string, string>;
}

async function answerFor(company: Company, { request, path, requestId, headers }: Asked): Promise<Response> {
  requireKey(company.keyOf(request.headers));
  const question = await company.read(request, path);
  const { model, audio } = question;
  const tally = openTally({ model, user: null });
  const fault = faultOf(model);
  const fields = { model, ...question.options, sizeBytes: audio.length };
  await misbehave(fault, { model, fields, signal: request.signal });
  const heard = await recognise(audio);
  if (!heard) throw new LlmFailure(400, "The audio could not be decoded or its format is not supported.");
  const delivery: Delivery = { fault, signal: request.signal, tally, headers };
  const body = company.answer(question, heard, requestId);
  return await send({ kind: "json", body, tokens: heard.words.length }, delivery);
}

function requireKey(key: string | null): void {
  if (key === null || key === "") throw noKey();
  if (key === "sk-sandbox-invalid") throw badKey();
  if (key === "sk-sandbox-exhausted") throw quotaExhausted();
}
