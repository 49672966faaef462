/** Pictures made out of others, which come in a form and are passed on as they arrive. */
import type { TokenUsage } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { type Guard, guardOf, letThrough } from "#features/guardrails/service";
import { budgetHeaders, servedHeaders, usageInfoOf, withUsageInfo } from "./bill-shown.ts";
import { aboutTold } from "./note.ts";
import { operations, pictureTokensMax } from "./operations.ts";
import { type PlainAnswer, readPlain } from "./plain-answer.ts";
import { askForMedia, type MediaAnswer, tokensCount } from "./serve-media.ts";
import { type TakenForm, takeForm } from "./taken-form.ts";

const maxImages = 16;
const maxPromptLength = 32_000;
const usualModel = "gpt-image-1";
const rules = {
  files: ["image", "image[]", "mask"],
  maxFiles: maxImages + 1,
  early: ["model", "n", "quality", "input_fidelity", "stream", "user"],
};
/** What a picture is read as at most, and with `input_fidelity: high`. */
const tokensPerPicture = { usual: 1_600, high: 6_600 };

export async function editImages(ctx: WorkspaceCtx, request: Request): Promise<Response> {
  const guard = await guardOf(ctx);
  const form = await takeForm(ctx, request, { ...rules, reads: guard?.field });
  try {
    const { fields } = form;
    requireWishes(form);
    const each = fields["input_fidelity"] === "high" ? tokensPerPicture.high : tokensPerPicture.usual;
    const most = {
      // A prompt behind the files of a form that is passed on is not known yet.
      inputTokens: Math.ceil((fields["prompt"]?.length ?? maxPromptLength) / 2) + (form.fileCount ?? maxImages) * each,
      cachedInputTokens: 0,
      outputTokens: pictureTokensMax(Number(fields["n"] ?? 1), fields["quality"]),
      estimated: true,
    };
    const operation = operations["image-edits"];
    const answered = await askForMedia(ctx, {
      operation,
      model: fields["model"] ?? usualModel,
      request,
      body: { prompt: fields["prompt"] },
      outgoing: form.outgoing,
      stickTo: fields["user"],
      sizeBytes: form.sizeBytes,
      most,
      count: tokensCount,
      begin: readPlain(operation, ctx),
    });
    return toldAs(answered, guard, most);
  } catch (error) {
    throw form.failure() ?? error;
  } finally {
    form.discard();
  }
}

/** Charges the pictures, and gives them as far as the workspace's rules let what is said with them through. */
function toldAs(answered: MediaAnswer<PlainAnswer>, guard: Guard | null, most: TokenUsage): Response {
  const usage = answered.begun.usage ?? most;
  const bill = answered.billOf(usage);
  const told = letThrough(guard, answered.begun);
  const about = aboutTold(told, () => null);
  answered.settle(usage, about);
  if (told instanceof Problem) throw told;
  const text = withUsageInfo(told, usageInfoOf(answered.target.provider, bill));
  const served = { ...servedHeaders(answered), ...guard?.headers(), ...budgetHeaders(bill) };
  return new Response(text, {
    headers: { "cache-control": "no-store", ...served, "content-type": "application/json" },
  });
}

function requireWishes({ fields, fileCount }: TakenForm): void {
  const { prompt, n, stream } = fields;
  if (prompt === "" || (prompt === undefined && fileCount !== null)) throw invalid("prompt", "prompt is missing.");
  if (prompt !== undefined && prompt.length > maxPromptLength)
    throw invalid("prompt", `prompt has at most ${maxPromptLength} characters.`);
  if (n !== undefined && !/^(?:[1-9]|10)$/.test(n)) throw invalid("n", "n is a whole number from 1 to 10.");
  if (stream === "true") throw invalid("stream", "Pictures as events are not available here.");
}

function invalid(param: string, detail: string): Problem {
  return new Problem("validation-failed", { detail, members: { param } });
}
