/** Adds a delay to each call of a Durable Object and of the database, as an ocean would. */
import type { Bindings } from "../../../src/core/env.ts";

type Callable = (...args: unknown[]) => unknown;

function intercept<Target extends object>(
  target: Target,
  change: (name: string, call: Callable) => Callable | undefined,
): Target {
  return new Proxy(target, {
    get(inner, name) {
      const value: unknown = Reflect.get(inner, name, inner);
      if (typeof value !== "function") return value;
      const call: Callable = (...args) => Reflect.apply(value, inner, args) as unknown;
      return change(String(name), call) ?? call;
    },
  });
}

export function slowBindings(env: Bindings, delayMs: number): Bindings {
  const late =
    (call: Callable): Callable =>
    async (...args) => {
      await scheduler.wait(delayMs);
      return call(...args);
    };
  const statement = (inner: D1PreparedStatement): D1PreparedStatement =>
    intercept(inner, (name, call) => {
      if (name === "bind") return (...args) => statement(call(...args) as D1PreparedStatement);
      return ["all", "raw", "run", "first"].includes(name) ? late(call) : undefined;
    });
  const session = (inner: object): object =>
    intercept(inner, (name, call) => {
      if (name === "prepare") return (...args) => statement(call(...args) as D1PreparedStatement);
      return name === "batch" ? late(call) : undefined;
    });
  const namespace = <Target extends object>(inner: Target): Target =>
    intercept(inner, (name, call) => {
      if (name !== "get" && name !== "getByName") return undefined;
      return (...args) => intercept(call(...args) as object, (_, method) => late(method));
    });
  return {
    ...env,
    DB: intercept(env.DB, (name, call) =>
      name === "withSession" ? (...args) => session(call(...args) as object) : undefined,
    ),
    SESSION_STORE: namespace(env.SESSION_STORE),
    RATE_LIMITER: namespace(env.RATE_LIMITER),
    LEDGER: namespace(env.LEDGER),
    HASHER: namespace(env.HASHER),
    STREAM_BUFFER: namespace(env.STREAM_BUFFER),
    GATE: namespace(env.GATE),
  };
}
