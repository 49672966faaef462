/** Contexts of a workspace as the gateway has them, with the providers that a deployment configured. */
import { makeContext } from "#app/context";
import type { Actor, WorkspaceCtx } from "#core/context";
import type { Bindings } from "#core/env";
import { forgetOverrides } from "#features/models/overrides";
import { createExecutionContext } from "cloudflare:test";
import { bindings, type Person } from "#test/support/harness";

export type Variables = Record<string, string>;

export function withVariables(variables: Variables): Bindings {
  return { ...bindings, ...variables };
}

export interface CtxOptions extends Partial<Pick<WorkspaceCtx, "subUser">> {
  variables?: Variables;
  mode?: "live" | "test";
  env?: Bindings;
}

export function workspaceCtx(
  person: Pick<Person, "userId" | "workspaceId">,
  { variables = {}, mode = "live", env = bindings, subUser }: CtxOptions = {},
): WorkspaceCtx {
  const { userId, workspaceId } = person;
  const actor: Actor = { kind: "api-key", userId, keyId: "key_test", mode, scopes: [] };
  const ctx = makeContext({ ...env, ...variables }, createExecutionContext());
  return Object.assign(ctx, {
    actor,
    userId,
    workspaceId,
    plan: "free" as const,
    overrides: {},
    ...(subUser ? { subUser } : {}),
  });
}

/** Overrides hold for the whole product: what a test set is taken away, or other tests would go by it. */
export async function resetOverrides(): Promise<void> {
  const tables = ["model_providers", "model_overrides", "model_prices", "model_provider_days"];
  await bindings.DB.batch(tables.map((table) => bindings.DB.prepare(`delete from ${table}`)));
  forgetOverrides();
}
