/** The arrows between rooms: who may import whom. */
import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const files = globSync("src/**/*.{ts,tsx}").map((path) => path.replaceAll("\\", "/"));
const importsOf = (path: string) =>
  [...readFileSync(path, "utf8").matchAll(/^(?:import|export)\b[^;]*?from\s+"([^"]+)"/gms)].map(
    (match) => match[1] ?? "",
  );
const typeOnly = (path: string, target: string) =>
  new RegExp(`import type [^;]*from "${target.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&")}"`, "s").test(
    readFileSync(path, "utf8"),
  );

/** Where an import leads, as a path below src; null for packages, also for those that scripts/trim.ts made smaller. */
function resolve(from: string, target: string): string | null {
  if (target.startsWith("#trimmed/")) return null;
  if (target.startsWith("#")) return target.slice(1);
  if (!target.startsWith(".")) return null;
  return new URL(target, `file:///${from}`).pathname.slice("/src/".length).replace(/\.tsx?$/, "");
}

interface Rule {
  room: RegExp;
  may: RegExp;
  types?: RegExp;
}

const rules: Rule[] = [
  { room: /^src\/lib\//, may: /^lib\// },
  { room: /^src\/core\//, may: /^(core|lib)\//, types: /^durable\/[^/]+\/object$/ },
  { room: /^src\/durable\//, may: /^(durable|lib)\//, types: /^core\// },
  { room: /^src\/adapters\//, may: /^(adapters|core|lib)\// },
  { room: /^src\/sandbox\//, may: /^(sandbox|core|lib)\// },
  { room: /^src\/features\//, may: /^(features|adapters|core|lib)\/|^durable\/[^/]+\/(client|token)$/ },
  { room: /^src\/app\//, may: /^(app|features|adapters|sandbox|core|lib)\/|^durable\/[^/]+\/(client|token)$/ },
  { room: /^src\/cli\//, may: /^(cli|lib)\// },
];

describe("imports", () => {
  it.each(rules.map((rule) => [rule.room.source, rule] as const))("keep to their arrows in %s", (_, rule) => {
    const checked = files.filter((path) => rule.room.test(path));
    expect(checked.length).toBeGreaterThan(0);
    const strays = checked.flatMap((path) =>
      importsOf(path)
        .filter((target) => {
          const to = resolve(path, target);
          if (to === null || rule.may.test(to)) return false;
          return !(rule.types?.test(to) && typeOnly(path, target));
        })
        .map((target) => `${path} -> ${target}`),
    );
    expect(strays).toEqual([]);
  });

  it("reach another feature only through its service, its shapes, its tables or what it offers to jobs", () => {
    const allowed =
      /\/(service|shapes|tables|index|access-token|check|storage|store|data-keys|guard-store|invitation-store|invitations)$/;
    const strays = files
      .filter((path) => path.startsWith("src/features/"))
      .flatMap((path) => {
        const own = path.split("/")[2];
        return importsOf(path)
          .map((target) => resolve(path, target))
          .filter((to) => to !== null && to.startsWith("features/") && to.split("/")[1] !== own && !allowed.test(to))
          .map((to) => `${path} -> ${to}`);
      });
    expect(strays).toEqual([]);
  });

  it("keep the service out of jobs, so that no cycle can form", () => {
    const strays = files
      .filter((path) => /^src\/features\/[^/]+\/jobs\//.test(path))
      .filter((path) => importsOf(path).some((target) => /(^|\/)service(\.ts)?$/.test(target)));
    expect(strays).toEqual([]);
  });

  it("keep SQL in stores and tables", () => {
    const home =
      /\/(tables|store|[a-z-]+-store|audit|context)\.ts$|^src\/core\/(work|job-store|idempotency-store|audit|context)\.ts$|-store\.ts$/;
    const strays = files
      .filter((path) => importsOf(path).some((target) => target.startsWith("drizzle-orm")))
      .filter((path) => !home.test(path));
    expect(strays).toEqual([]);
  });

  it("read the environment only where it is parsed", () => {
    const strays = files
      .filter((path) => /^src\/(features|lib)\//.test(path))
      .filter((path) => /\benv\./.test(readFileSync(path, "utf8")));
    expect(strays).toEqual([]);
  });

  it("call fetch only where outside calls are guarded", () => {
    const strays = files
      .filter((path) => /^src\/(features|lib|core|durable)\//.test(path))
      .filter((path) => /(?<![.\w])fetch\(/.test(readFileSync(path, "utf8")));
    expect(strays).toEqual([]);
  });
});

describe("files", () => {
  it("stay under 400 lines and have no drawers", () => {
    const long = [...files, ...globSync("test/**/*.ts", { exclude: ["test/bench/node_modules/**"] })].filter(
      (path) => readFileSync(path, "utf8").split("\n").length > 401,
    );
    expect(long).toEqual([]);
    expect(files.filter((path) => /\/(utils?|helpers?|common|types)\.ts$/.test(path))).toEqual([]);
  });

  it("hold no unfinished words", () => {
    const word = /\b(TODO|FIXME|XXX|not implemented|for now)\b/i;
    expect(files.filter((path) => word.test(readFileSync(path, "utf8")))).toEqual([]);
  });

  it("begin with what they are for", () => {
    const bare = files.filter(
      (path) =>
        !/^\s*(\/\*\*|\/\/)/.test(readFileSync(path, "utf8").replace(/^#!.*\n/, "")) && !path.endsWith("index.ts"),
    );
    expect(bare).toEqual([]);
  });
});
