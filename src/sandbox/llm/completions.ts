/** The older text completions in OpenAI's wire format, plain and streamed. */
import type { Call } from "./call.ts";
import { logprobOf, maxChoices, requireNoStreamOptions, streamsUsage } from "./chat.ts";
import type { Answer, Piece } from "./delivery.ts";
import { contextExceeded, openaiError, serverError } from "./failure.ts";
import { contextTokens } from "./faults.ts";
import { decimal, type Fields, flag, textOrTexts, whole } from "./fields.ts";
import { type Input, readInputs } from "./inputs.ts";
import { maxAnswerTokens, maxMarkedTokens, type Reply, replyTo } from "./reply.ts";
import { cachedTokensOf, chatUsage, createdAt, modelOf, seedOf } from "./usage.ts";

const maxPrompts = 128;
/** As with the real one, which stops early unless it is told otherwise. */
const defaultMaxTokens = 16;
const endings = { stop: "stop", length: "length", tools: "stop", refused: "content_filter" } as const;

export function completeText({ fields, fault }: Call): Answer {
  const model = modelOf(fields);
  const prompts = readInputs(fields, "prompt", maxPrompts);
  const promptTokens = prompts.reduce((sum, { tokens }) => sum + tokens, 0);
  if (promptTokens > contextTokens) throw contextExceeded(contextTokens, promptTokens);
  decimal(fields, "temperature", { min: 0, max: 2 });
  const each = whole(fields, "n", { min: 1, max: maxChoices }) ?? 1;
  const seed = seedOf(fields);
  const logprobs = whole(fields, "logprobs", { min: 0, max: 5 });
  const maxTokens = Math.min(
    whole(fields, "max_tokens", { min: 1, max: 10_000_000 }) ?? defaultMaxTokens,
    Math.floor((logprobs === null ? maxAnswerTokens : maxMarkedTokens) / (each * prompts.length)),
  );
  const ask = (prompt: Input) => ({
    seed,
    lastText: prompt.text,
    isAfterTool: false,
    tools: [],
    toolRule: { mode: "none" as const, only: null, isParallel: false },
    format: { kind: "text" as const },
    maxTokens,
    stops: textOrTexts(fields, "stop", { max: 4 }),
    isRefused: fault.kind === "refused",
    echo: fault.kind === "echo" ? JSON.stringify(fields) : null,
  });
  const choices = prompts.flatMap((prompt, place) =>
    Array.from({ length: each }, (_, index): Choice => ({
      before: flag(fields, "echo") === true ? prompt.text : "",
      reply: replyTo(ask(prompt), place * each + index),
    })),
  );
  const completion = choices.reduce((sum, { reply }) => sum + reply.tokenCount, 0);
  const usage = chatUsage({ prompt: promptTokens, cached: cachedTokensOf(fields, promptTokens), completion });
  const head = { id: `cmpl-${seed.slice(0, 29)}`, object: "text_completion", created: createdAt, model };
  const made: Made = { head, choices, usage, logprobs };
  const withUsage = fault.kind !== "no-usage";
  if (flag(fields, "stream") === true) {
    const errorEvent = `data: ${JSON.stringify(openaiError(serverError()))}\n\n`;
    return { kind: "stream", pieces: pieces(made, fields, { withUsage }), tokens: completion, errorEvent };
  }
  requireNoStreamOptions(fields);
  return { kind: "json", body: plain(made, { withUsage }), tokens: completion };
}

interface Choice {
  /** The prompt, when it is to be repeated before the answer; it counts no token of the answer. */
  before: string;
  reply: Reply;
}

interface Made {
  head: object;
  choices: Choice[];
  usage: object;
  logprobs: number | null;
}

interface UsageRule {
  withUsage: boolean;
}

function plain({ head, choices, usage, logprobs }: Made, { withUsage }: UsageRule) {
  return {
    ...head,
    choices: choices.map(({ before, reply }, index) => ({
      text: before + reply.tokens.join(""),
      index,
      logprobs: logprobs === null ? null : logprobsOf(reply.tokens, before.length, logprobs),
      finish_reason: endings[reply.ending],
    })),
    ...(withUsage ? { usage } : {}),
    system_fingerprint: "sandbox",
  };
}

/** @param offset of the first token in the choice's text */
function logprobsOf(tokens: readonly string[], offset: number, alternatives: number) {
  const marks = tokens.map((token) => logprobOf(token, alternatives));
  let at = offset;
  return {
    tokens,
    token_logprobs: marks.map(({ logprob }) => logprob),
    top_logprobs: marks.map(({ top_logprobs: top }) =>
      Object.fromEntries(top.map((mark) => [mark.token, mark.logprob])),
    ),
    text_offset: tokens.map((token) => {
      at += token.length;
      return at - token.length;
    }),
  };
}

function* pieces({ head, choices, usage, logprobs }: Made, fields: Fields, { withUsage }: UsageRule): Generator<Piece> {
  const includeUsage = streamsUsage(fields);
  const rest = { ...(includeUsage ? { usage: null } : {}), system_fingerprint: "sandbox" };
  const event = (choice: object) => `data: ${JSON.stringify({ ...head, choices: [choice], ...rest })}\n\n`;
  for (const [index, { before, reply }] of choices.entries()) {
    if (before !== "")
      yield { data: event({ text: before, index, logprobs: null, finish_reason: null }), isToken: false };
    let offset = before.length;
    for (const token of reply.tokens) {
      const marks = logprobs === null ? null : logprobsOf([token], offset, logprobs);
      offset += token.length;
      yield { data: event({ text: token, index, logprobs: marks, finish_reason: null }), isToken: true };
    }
    const ending = endings[reply.ending];
    yield { data: event({ text: "", index, logprobs: null, finish_reason: ending }), isToken: false };
  }
  if (includeUsage && withUsage)
    yield { data: `data: ${JSON.stringify({ ...head, choices: [], ...rest, usage })}\n\n`, isToken: false };
  yield { data: "data: [DONE]\n\n", isToken: false };
}
