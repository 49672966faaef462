/** What was said in a recording, and its translation. The recording comes in a form and is passed on as it arrives, or lies in the workspace's files. */
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { type Guard, guardOf, letThrough } from "#features/guardrails/service";
import { getFile } from "#features/media/service";
import type { Outgoing } from "./attempt.ts";
import { budgetHeaders, servedHeaders, usageInfoOf, withUsageInfo } from "./bill-shown.ts";
import { openFormWriter, lineEnd, type FormWriter, streamOf } from "./form-parts.ts";
import { recordingBody } from "./media-shapes.ts";
import { aboutTold } from "./note.ts";
import { operations } from "./operations.ts";
import { readJson } from "./read-json.ts";
import { type Recorded, secondsLikely, secondsMax } from "./recorded.ts";
import { askForMedia, type Count } from "./serve-media.ts";
import { takeForm } from "./taken-form.ts";
import { wordsOfAnswer } from "./words.ts";
import { type HeardUsage, readTranscript, usageOfSeconds } from "./transcript.ts";

const formats = ["json", "text", "srt", "verbose_json", "vtt"];
const rules = { files: ["file"], maxFiles: 1, early: ["model", "stream", "response_format"] };
const headBytes = 4_096;
/** More than anybody says in a second. */
const outputTokensPerSecond = 10;

type Recording = Recorded & {
  fields: Readonly<Record<string, unknown>>;
  outgoing: Outgoing;
  passedBytes(): number;
  failure(): unknown;
  discard(): void;
};

export async function hear(
  ctx: WorkspaceCtx,
  name: "transcriptions" | "translations",
  request: Request,
): Promise<Response> {
  const isForm = /^multipart\/form-data/i.test(request.headers.get("content-type") ?? "");
  const guard = await guardOf(ctx);
  const recording = isForm
    ? await takeForm(ctx, request, { ...rules, reads: guard?.field })
    : await ofFile(ctx, request, guard);
  try {
    const { model, format } = wishesOf(recording.fields);
    const longest = usageOfSeconds(secondsMax(recording), { estimated: true });
    const answered = await askForMedia(ctx, {
      operation: operations[name],
      model,
      request,
      body: { prompt: recording.fields["prompt"] },
      outgoing: recording.outgoing,
      sizeBytes: recording.sizeBytes,
      most: { ...longest, outputTokens: longest.seconds * outputTokensPerSecond },
      count: secondsCount,
      begin: readTranscript({ isText: format !== "json" && format !== "verbose_json" }),
    });
    const { text: heard, type, isJson, usage: counted } = answered.begun;
    const passed = { ...recording, sizeBytes: recording.passedBytes() };
    const usage = counted ?? usageOfSeconds(secondsLikely(passed), { estimated: true });
    const bill = answered.billOf(usage);
    const told = letThrough(guard, { text: heard, usage, isJson });
    answered.settle(
      usage,
      aboutTold(told, (text) => (isJson ? wordsOfAnswer(text) : text)),
    );
    if (told instanceof Problem) throw told;
    const shown = isJson ? withUsageInfo(told, usageInfoOf(answered.target.provider, bill)) : told;
    const served = { ...servedHeaders(answered), ...guard?.headers(), ...budgetHeaders(bill) };
    const headers = { "cache-control": "no-store", ...served };
    return new Response(shown, { headers: { ...headers, "content-type": type } });
  } catch (error) {
    // A form that broke off makes the provider's call fail, too: the form's fault is the one to tell.
    throw recording.failure() ?? error;
  } finally {
    recording.discard();
  }
}

/** Recordings have a meter of their own: seconds, whole. */
const secondsCount: Count = (usage) => ({ transcriptionSeconds: (usage as HeardUsage).seconds });

function wishesOf(fields: Readonly<Record<string, unknown>>): { model: string; format: string } {
  const { model, response_format: format = "json", stream } = fields;
  if (typeof model !== "string" || model === "") throw invalid("model", "model is missing.");
  if (typeof format !== "string" || !formats.includes(format))
    throw invalid("response_format", `response_format is one of ${formats.join(", ")}.`);
  if (stream === true || stream === "true") throw invalid("stream", "Transcripts as events are not available here.");
  return { model, format };
}

function invalid(param: string, detail: string): Problem {
  return new Problem("validation-failed", { detail, members: { param } });
}

/** Throws `file-not-found`, alike for unknown and foreign files. */
async function ofFile(ctx: WorkspaceCtx, request: Request, guard: Guard | null): Promise<Recording> {
  const { fileId, ...given } = await readJson(request, recordingBody);
  const fields = guard ? guard.asked(given) : given;
  const row = await getFile(ctx, fileId);
  const beginning = await ctx.files.get(row.r2Key, { range: { offset: 0, length: headBytes } });
  if (!beginning) throw new Problem("file-not-found");
  const writer = openFormWriter(ctx);
  const file = { name: "file", fileName: row.name, type: row.contentType };
  return {
    fields,
    head: new Uint8Array(await beginning.arrayBuffer()),
    sizeBytes: row.sizeBytes,
    passedBytes: () => row.sizeBytes,
    failure: () => null,
    discard: () => undefined,
    outgoing: {
      isSpent: () => false,
      open({ model }) {
        const pieces = fileForm(writer, { ...fields, model }, { ...file, read: () => ctx.files.get(row.r2Key) });
        return { type: writer.type, body: streamOf(pieces) };
      },
    },
  };
}

interface StoredFile {
  name: string;
  fileName: string;
  type: string;
  read(): Promise<{ body: ReadableStream<Uint8Array> } | null>;
}

async function* fileForm(
  writer: FormWriter,
  fields: Readonly<Record<string, unknown>>,
  file: StoredFile,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const [name, value] of Object.entries(fields)) {
    if (Array.isArray(value)) for (const one of value) yield writer.field(`${name}[]`, asText(one));
    else if (value != null) yield writer.field(name, asText(value));
  }
  const object = await file.read();
  if (!object) throw new Error("the file is gone from storage");
  yield writer.fileHead(file);
  yield* object.body;
  yield lineEnd;
  yield writer.end();
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
