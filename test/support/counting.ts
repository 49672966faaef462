/** Bindings that count what a request asks of far-away places. */
import type { Bindings } from "#core/env";
import { bindings } from "./harness.ts";

export interface Counts {
  database: number;
  objects: number;
  files: number;
}

const executing = new Set(["all", "raw", "run", "first"]);

export function countingBindings(): { env: Bindings; counts: Counts; reset(): void } {
  const counts: Counts = { database: 0, objects: 0, files: 0 };
  const statement = (inner: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (executing.has(String(name))) counts.database += 1;
          const result: unknown = Reflect.apply(value, target, args);
          return name === "bind" ? statement(result as D1PreparedStatement) : result;
        };
      },
    });
  const database = <Target extends object>(inner: Target): Target =>
    new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (name === "batch") {
            counts.database += 1;
            return Reflect.apply(value, target, args);
          }
          const result = Reflect.apply(value, target, args) as object;
          if (name === "withSession") return database(result);
          if (name !== "prepare") return result;
          return statement(result as D1PreparedStatement);
        };
      },
    });
  const namespace = <Target extends object>(inner: Target): Target =>
    new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (name === "get" || name === "getByName") counts.objects += 1;
          return Reflect.apply(value, target, args) as unknown;
        };
      },
    });
  const files = new Proxy(bindings.FILES, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        counts.files += 1;
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  const env: Bindings = {
    ...bindings,
    DB: database(bindings.DB),
    FILES: files,
    SESSION_STORE: namespace(bindings.SESSION_STORE),
    RATE_LIMITER: namespace(bindings.RATE_LIMITER),
    LEDGER: namespace(bindings.LEDGER),
    HASHER: namespace(bindings.HASHER),
    STREAM_BUFFER: namespace(bindings.STREAM_BUFFER),
    GATE: namespace(bindings.GATE),
  };
  return { env, counts, reset: () => Object.assign(counts, { database: 0, objects: 0, files: 0 }) };
}
