/** Tokens for work that is done elsewhere. The ledger decides; a reservation is its maker's alone. */
import type { WorkspaceCtx } from "#core/context";
import { requireModel } from "#features/models/service";
import { chargeTokens, consumeTokens, giveBackTokens, holdTokens, type ModelUse } from "#features/usage/service";
import type { ConsumeBody, ReserveBody } from "./shapes.ts";

/** What the record calls work of which nothing else was said. */
const elsewhere = "external";

export async function reserve(ctx: WorkspaceCtx, body: ReserveBody) {
  const { tokens, model, expires_in_seconds: seconds } = body;
  if (model !== undefined) await requireModel(ctx, model);
  const id = ctx.newId("reservation");
  const { expiresAtMs, tokensLeft } = await holdTokens(ctx, { id, tokens, model, ttlMs: seconds * 1_000 });
  return {
    success: true as const,
    reservation_id: id,
    reserved_tokens: tokens,
    tokens_remaining: tokensLeft,
    expires_at: new Date(expiresAtMs).toISOString(),
  };
}

export async function consume(ctx: WorkspaceCtx, body: ConsumeBody) {
  const { tokens, model, reservation_id: reservationId } = body;
  if (model !== undefined) await requireModel(ctx, model);
  const use = useOf(body);
  const { charged, tokensLeft } =
    reservationId === undefined
      ? await chargeTokens(ctx, { id: ctx.newId("reservation"), tokens, model, use })
      : await consumeTokens(ctx, { id: reservationId, tokens, use });
  return {
    success: true as const,
    reservation_id: reservationId ?? null,
    tokens_consumed: charged,
    tokens_uncovered: Math.max(tokens - charged, 0),
    tokens_remaining: tokensLeft,
  };
}

function useOf(body: ConsumeBody): ModelUse {
  return {
    provider: body.provider ?? elsewhere,
    operation: body.request_type ?? elsewhere,
    requests: 1,
    errors: 0,
    estimated: 0,
    tokens: body.tokens,
    inputTokens: body.input_tokens ?? 0,
    cachedTokens: 0,
    outputTokens: body.output_tokens ?? 0,
    moneyMicroUsd: 0,
  };
}

export async function release(ctx: WorkspaceCtx, reservationId: string) {
  const { returned, tokensLeft } = await giveBackTokens(ctx, reservationId);
  return {
    success: true as const,
    reservation_id: reservationId,
    tokens_released: returned,
    tokens_remaining: tokensLeft,
  };
}
