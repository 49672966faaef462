/** Text to speech: the sound is passed on as it comes. It costs what its text is long, which is known before; half a sound costs nothing. */
import type { WorkspaceCtx } from "#core/context";
import type { JsonObject } from "#adapters/llm/dialect";
import { guardOf } from "#features/guardrails/service";
import { faultOf } from "./attempt.ts";
import { budgetHeaders, servedHeaders } from "./bill-shown.ts";
import { operations } from "./operations.ts";
import { readPatience } from "./patience.ts";
import { askForMedia, isPage, tokensCount } from "./serve-media.ts";
import type { Begin } from "./try-targets.ts";

/** The convention of the catalogue's prices. */
const charactersPerToken = 4;

type SpeechBody = JsonObject & { model: string; input: string };
type Bytes = Uint8Array<ArrayBuffer>;

interface Sound {
  type: string;
  first: Bytes;
  reader: ReadableStreamDefaultReader<Bytes>;
}

export async function createSpeech(
  ctx: WorkspaceCtx,
  { body: asked, request }: { body: SpeechBody; request: Request },
): Promise<Response> {
  const guard = await guardOf(ctx);
  const body = guard ? guard.asked(asked) : asked;
  const inputTokens = Math.ceil(body.input.length / charactersPerToken);
  const usage = { inputTokens, cachedInputTokens: 0, outputTokens: 0, estimated: false };
  const answered = await askForMedia(ctx, {
    operation: operations.speech,
    model: body.model,
    request,
    body,
    stickTo: typeof body["user"] === "string" ? body["user"] : undefined,
    sizeBytes: Buffer.byteLength(body.input),
    most: usage,
    count: tokensCount,
    begin: beginSound,
  });
  const { idleMs } = readPatience(request, { isStream: false });
  const { readable, writable } = new IdentityTransformStream();
  const passing = passOn(answered.begun, writable.getWriter(), idleMs).then((end) => {
    // Who leaves early has had it made all the same; the provider's sound ends with its caller, and looks broken then.
    const seen = end === "broken" && request.signal.aborted ? "left" : end;
    if (seen === "broken") ctx.log("warn", "model.stream-broken", { provider: answered.target.provider });
    answered.settle(seen === "broken" ? null : usage, { end: logEnd[seen] });
  });
  ctx.later(passing);
  const headers = {
    "content-type": answered.begun.type,
    "cache-control": "no-store",
    ...servedHeaders(answered),
    ...guard?.headers(),
    ...budgetHeaders(answered.billOf(usage)),
  };
  return new Response(readable, { headers });
}

/** Waits for the first bytes: until then somebody else can be asked. */
const beginSound: Begin<Sound> = async (_, response) => {
  const invalid = { ok: false, fault: faultOf("invalid-answer", { status: response.status }) } as const;
  const type = response.headers.get("content-type") ?? "application/octet-stream";
  const body = response.body as ReadableStream<Bytes> | null;
  if (!body || !/^(?:audio\/|application\/octet-stream)/i.test(type)) {
    await body?.cancel();
    return invalid;
  }
  const reader = body.getReader();
  try {
    const { done, value } = await reader.read();
    if (done || value.length === 0) return invalid;
    if (!isPage(Buffer.from(value.subarray(0, 200)).toString("latin1")))
      return { ok: true, begun: { type, first: value, reader } };
    await reader.cancel();
    return invalid;
  } catch {
    return invalid;
  }
};

type End = "whole" | "broken" | "left";
const logEnd = { whole: "whole", broken: "cut", left: "left" } as const;

async function passOn(
  { first, reader }: Sound,
  writer: WritableStreamDefaultWriter<Bytes>,
  idleMs: number,
): Promise<End> {
  for (let next: Bytes | null = first; next !== null;) {
    const isTaken = await writer.write(next).then(
      () => true,
      () => false,
    );
    if (!isTaken) {
      await reader.cancel().catch(() => undefined);
      return "left";
    }
    const read = await readInTime(reader, idleMs);
    if (read === "broken") {
      // The caller's connection breaks, too: half a sound must not look like a whole one.
      await writer.abort(new Error("the sound broke off")).catch(() => undefined);
      return "broken";
    }
    next = read;
  }
  await writer.close().catch(() => undefined);
  return "whole";
}

async function readInTime(reader: Sound["reader"], idleMs: number): Promise<Bytes | null | "broken"> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void reader.cancel().catch(() => undefined);
  }, idleMs);
  try {
    const { done, value } = await reader.read();
    if (isLate) return "broken";
    return done ? null : value;
  } catch {
    return "broken";
  } finally {
    clearTimeout(timer);
  }
}
