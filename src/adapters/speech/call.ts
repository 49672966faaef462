/**
 * One call of a provider, whichever it is: checked before it, timed out, read with bounds, and every way to fail turned into a fault in our words. What
 * the provider said is looked at and forgotten: it may hold the key, or what was spoken.
 */
import { TenantCallError } from "#core/outbound";
import { capabilitiesOf, languageFor } from "./capabilities.ts";
import type {
  SpeechCapabilities,
  SpeechCtx,
  SpeechFault,
  SpeechOutcome,
  SpeechProvider,
  SpeechRequest,
  SpeechResult,
  SpeechTarget,
} from "./contract.ts";

/** Ten minutes of work are enough for 1,400 s of sound; a queue's message has fifteen. */
const timeoutMs = 600_000;
/** Words with times of some hours. */
const maxAnswerBytes = 33_554_432;
const longestRetryAfterMs = 3_600_000;

export interface Asked {
  target: SpeechTarget;
  request: SpeechRequest;
  capabilities: SpeechCapabilities;
  /** As the provider writes it. */
  language: string | null;
}

export interface Dialect {
  name: SpeechProvider["name"];
  usualModel: string;
  /** The call; made anew for each, because a body is read only once. */
  call(asked: Asked): Request;
  /** Null: this is no transcript. */
  read(body: unknown, asked: Asked): SpeechResult | null;
  /** What a refusal is about, by the provider's own codes. */
  refusal?(status: number, body: unknown): SpeechFault["kind"] | null;
}

export function providerOf(dialect: Dialect): SpeechProvider {
  return {
    name: dialect.name,
    capabilities: capabilitiesOf(dialect.name, dialect.usualModel),
    transcribe: (ctx, target, request) => transcribe(ctx, dialect, { target, request }),
  };
}

const details: Record<SpeechFault["kind"], string> = {
  unreachable: "The speech provider could not be reached.",
  timeout: "The speech provider did not answer in time.",
  "rate-limited": "The speech provider takes no more requests at the moment.",
  overloaded: "The speech provider is not able to answer now.",
  credentials: "The speech provider does not accept the key.",
  refused: "The speech provider refused the recording.",
  "too-large": "The recording has more bytes than the speech provider takes at once.",
  "too-long": "The recording is longer than the speech provider takes at once.",
  "invalid-answer": "The speech provider's answer is not a transcript.",
};

export function faultOf(kind: SpeechFault["kind"], more: Partial<SpeechFault> = {}): { ok: false; fault: SpeechFault } {
  return { ok: false, fault: { kind, retryAfterMs: null, detail: details[kind], ...more } };
}

interface Wanted {
  target: SpeechTarget;
  request: SpeechRequest;
}

async function transcribe(ctx: SpeechCtx, dialect: Dialect, { target, request }: Wanted): Promise<SpeechOutcome> {
  const capabilities = capabilitiesOf(dialect.name, target.model);
  if (request.audio.length > capabilities.requestBytesMax) return faultOf("too-large");
  const language = request.language === null ? null : languageFor(capabilities, request.language);
  if (request.language !== null && language === null)
    return faultOf("refused", { detail: "The speech provider does not know the language." });
  const asked: Asked = { target, request, capabilities, language };
  const answer = await send(ctx, target, dialect.call(asked));
  if (!("status" in answer)) return answer;
  if (answer.status !== 200) return refused(ctx, dialect, answer);
  const result = dialect.read(parse(answer.text), asked);
  return result ? { ok: true, result } : faultOf("invalid-answer");
}

interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

async function send(
  ctx: SpeechCtx,
  target: SpeechTarget,
  request: Request,
): Promise<Answer | ReturnType<typeof faultOf>> {
  try {
    if (target.isTenantUrl) {
      const { status, headers, body } = await ctx.outbound.tenant(request, { timeoutMs, bodyBytesMax: maxAnswerBytes });
      return { status, headers, text: new TextDecoder().decode(body) };
    }
    const { status, headers, body } = await ctx.outbound.operator(request, { timeoutMs });
    const text = await readText(body);
    return text === null ? faultOf("invalid-answer") : { status, headers, text };
  } catch (error) {
    return faultOf(failureOf(error));
  }
}

function failureOf(error: unknown): SpeechFault["kind"] {
  if (error instanceof TenantCallError) {
    if (error.fault === "timeout") return "timeout";
    return error.fault === "body-too-large" ? "invalid-answer" : "unreachable";
  }
  return error instanceof Error && ["TimeoutError", "AbortError"].includes(error.name) ? "timeout" : "unreachable";
}

async function readText(body: ReadableStream<Uint8Array> | null): Promise<string | null> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of body ?? []) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > maxAnswerBytes) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function refused(ctx: SpeechCtx, dialect: Dialect, { status, headers, text }: Answer) {
  const kind = dialect.refusal?.(status, parse(text)) ?? kindOf(status);
  ctx.log("info", "speech-refused", { provider: dialect.name, status, kind });
  return faultOf(kind, { retryAfterMs: retryAfterMs(headers, ctx.now()) });
}

function kindOf(status: number): SpeechFault["kind"] {
  if (status === 401 || status === 402 || status === 403) return "credentials";
  if (status === 413) return "too-large";
  if (status === 429) return "rate-limited";
  if (status === 408 || status === 504) return "timeout";
  if (status >= 500) return "overloaded";
  // A redirect is followed by nobody, and a success without a transcript is none.
  return status < 400 ? "invalid-answer" : "refused";
}

/** RFC 9110, section 10.2.3: seconds or a date. */
function retryAfterMs(headers: Headers, nowMs: number): number | null {
  const value = headers.get("retry-after") ?? "";
  const waitMs = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isFinite(waitMs) ? Math.min(Math.max(waitMs, 0), longestRetryAfterMs) : null;
}
