/** One task of a batch: an enhanced prompt whose answer, or whose problem, is what is kept. */
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { promptOf, type PromptStyle } from "#features/staff/service";
import { ask } from "./ask.ts";
import { withFindings } from "./research/questions.ts";
import { research } from "./research/research.ts";
import { chatBodyOf, clean, styled } from "./rules.ts";
import type { BatchBody } from "./shapes.ts";

export type BatchTask = BatchBody["batch"][number];

export interface TaskOutcome {
  success: boolean;
  response: string | null;
  problemCode: string | null;
  problemDetail: string | null;
  processingTimeMs: number;
  tokensUsed: number;
}

/** Nobody is there to answer a question. */
const withoutQuestions =
  "Enhance this without asking anything back: where something is not said, take what is most likely and say so.";

export const styleOf = (task: BatchTask): PromptStyle => task.r_type ?? "bpe";

interface Work {
  task: BatchTask;
  asked: BatchBody;
  /** Names the task's calls, so that a run which repeats it is not charged again. */
  chargeId: string;
  timeoutMs: number;
  /** Ends the batch: then it throws and there is no outcome. */
  signal: AbortSignal;
}

export async function runTask(ctx: WorkspaceCtx, work: Work): Promise<TaskOutcome> {
  const begunMs = ctx.now();
  const took = () => Math.max(ctx.now() - begunMs, 0);
  try {
    const { text, tokens } = await answerTo(ctx, work);
    if (text === "") throw new Problem("model-unavailable", { detail: "The model answered with nothing." });
    const said = { success: true, response: text, problemCode: null, problemDetail: null };
    return { ...said, processingTimeMs: took(), tokensUsed: tokens };
  } catch (error) {
    if (work.signal.aborted) throw error;
    const problem = problemOf(ctx, error);
    const failed = { success: false, response: null, problemCode: problem.code, problemDetail: problem.message };
    return { ...failed, processingTimeMs: took(), tokensUsed: 0 };
  }
}

function problemOf(ctx: WorkspaceCtx, error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError"))
    return new Problem("model-timeout");
  ctx.log("error", "batch.task-threw", { error });
  return new Problem("internal");
}

async function answerTo(ctx: WorkspaceCtx, { task, asked, chargeId, timeoutMs, signal: ending }: Work) {
  const signal = AbortSignal.any([ending, AbortSignal.timeout(timeoutMs)]);
  const prompt = `${clean(task.prompt)}\n\n${withoutQuestions}`;
  const [styleText, found] = await Promise.all([
    promptOf(ctx.db, styleOf(task)),
    asked.enable_research === true
      ? research(ctx, { query: clean(task.prompt), depth: asked.research_depth ?? "basic", signal, chargeId })
      : null,
  ]);
  const content = found ? withFindings(prompt, found.shown.results) : prompt;
  const body = chatBodyOf(asked.level, styled([{ role: "user", content }], styleText), task);
  const facts = { style: styleOf(task), isResearched: found !== null };
  const { text, tokens } = await ask(ctx, { body, signal, reservationId: chargeId, prompt: facts });
  return { text, tokens: tokens + (found?.tokens ?? 0) };
}
