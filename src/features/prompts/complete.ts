/** One enhanced completion: may the person, the style's text, research where it was asked for, the model, the answer. */
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { isTestMode } from "#core/test-mode";
import { operations, serveModel } from "#features/chat/service";
import { levelOf } from "#features/message-logs/service";
import { promptOf, type PromptStyle } from "#features/staff/service";
import { quotaOf } from "#features/usage/service";
import { withFindings } from "./research/questions.ts";
import { type Research, research } from "./research/research.ts";
import { chatBodyOf, clean, fallbackModel, type Level, requireAllowed, styled } from "./rules.ts";
import type { PromptBody } from "./shapes.ts";
import { findAllowed } from "./store.ts";

/** Throws what `requireAllowed` throws. Read anew each time: what an admin takes away is gone at once. */
export async function admitPerson(
  ctx: WorkspaceCtx,
  asked: { level: Level; styles: readonly PromptStyle[] },
): Promise<void> {
  const allowed = await findAllowed(ctx);
  if (!allowed) throw new Problem("user-not-found");
  requireAllowed(allowed, asked);
}

export async function completePrompt(given: WorkspaceCtx, body: PromptBody, request: Request): Promise<Response> {
  const { level, r_type: style } = body;
  // What the caller wishes of the log holds for the questions of research, too.
  const ctx = { ...given, messageLog: levelOf(given, { request }) };
  const [, styleText] = await Promise.all([
    admitPerson(ctx, { level, styles: style ? [style] : [] }),
    style ? promptOf(ctx.db, style) : null,
  ]);
  const found = body.ai_research === true ? await researchLast(ctx, body, request.signal) : null;
  const messages = styled(found ? found.messages : body.messages, styleText);
  const { stream, stream_options: streamOptions } = body;
  const streaming = stream === true ? { stream, ...(streamOptions ? { stream_options: streamOptions } : {}) } : {};
  const response = await serveModel(ctx, {
    operation: operations.chat,
    body: { ...chatBodyOf(level, messages, body), ...streaming },
    request,
    credits: 1,
    fallbackModel,
    errors: "problem",
    // A chunk without choices, which OpenAI's clients pass on as it is.
    ...(found ? { preface: { object: "chat.completion.chunk", choices: [], research: found.research } } : {}),
    prompt: { style: style ?? null, isResearched: found !== null },
  });
  return found && stream !== true ? withResearch(response, found.research) : response;
}

/** Only a last message of the user's own is looked up, and it is the one that what was found stands before. */
async function researchLast(ctx: WorkspaceCtx, { messages, research_depth: depth }: PromptBody, signal: AbortSignal) {
  const last = messages.at(-1);
  const query = last?.role === "user" && (await hasCredit(ctx)) ? clean(last.content) : "";
  const { shown } = await research(ctx, { query, depth: depth ?? "basic", signal });
  const wrapped = messages.map((message) =>
    message === last ? { ...message, content: withFindings(clean(message.content), shown.results) } : message,
  );
  return { messages: wrapped, research: shown };
}

/** Research costs tokens before the credit is taken: nobody pays for it when the request is refused anyway. */
async function hasCredit(ctx: WorkspaceCtx): Promise<boolean> {
  return isTestMode(ctx) || (await quotaOf(ctx, "credits")).available !== 0;
}

async function withResearch(response: Response, shown: Research): Promise<Response> {
  const text = await response.text();
  const end = text.lastIndexOf("}");
  return new Response(`${text.slice(0, end)},"research":${JSON.stringify(shown)}}`, response);
}
