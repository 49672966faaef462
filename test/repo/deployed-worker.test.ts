/** What a deployment leaves out of the source and of the libraries is what nothing that answers a request asks for. */
import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { undeployed } from "#core/shape";
import { deployedSource as sourceWith } from "../../scripts/deployed-source.ts";

const files = globSync("src/**/*.{ts,tsx}").filter((path) => !path.startsWith("src/cli/"));
const sources = files.map((path) => readFileSync(path, "utf8"));

const deployedSource = (path: string, text: string) => sourceWith(path, text, { answers: "left-out" });

interface Operation {
  operationId: string;
  summary: string;
  description?: string;
}

const { paths } = JSON.parse(readFileSync("docs/openapi.json", "utf8")) as {
  paths: Record<string, Record<string, Operation>>;
};
const operations = Object.values(paths).flatMap((item) => Object.values(item));

describe("the source as it is deployed", () => {
  const deployed = files.map((path, index) => deployedSource(path, sources[index] ?? "")).join("\n");

  it("keeps every operation, and none of the words that the document has for it", () => {
    expect(operations.filter(({ operationId }) => !deployed.includes(`name: "${operationId}"`))).toEqual([]);
    const isLeft = (words = "") => words.length > 40 && deployed.includes(JSON.stringify(words));
    expect(operations.filter(({ summary, description }) => isLeft(summary) || isLeft(description))).toEqual([]);
  });

  it("has no call of meta, no index and no check of a table", () => {
    expect(sources.join("\n")).toMatch(/\.meta\(/);
    expect(deployed).not.toMatch(/\w\)?\s*\.meta\(\{|\b(index|uniqueIndex|check)\("/);
  });

  it("keeps each line where it was", () => {
    const source = 'const a = z\n  .string()\n  .meta({\n    id: "A",\n  })\n  .optional();\nconst b = 1;\n';
    expect(deployedSource("a.ts", source)).toBe("const a = z\n  .string()\n\n\n\n  .optional();\nconst b = 1;\n");
  });

  it("takes the words of an operation, and nothing else of it", () => {
    const source =
      'endpoint({ name: "a", summary: "A, b", description: `${x}`, problems: [], handle: () => ({ summary: 1 }) });';
    expect(deployedSource("a.ts", source).replaceAll(/\s+/g, " ")).toBe(
      'endpoint({ name: "a", handle: () => ({ summary: 1 }) });',
    );
    const other = 'const made = describe({ summary: "stays", problems: [] }); import.meta.main;';
    expect(deployedSource("a.ts", other)).toBe(other);
  });

  it("takes indexes out of a table and words out of words", () => {
    expect(deployedSource("a.ts", 'sqliteTable("a", { id: text("id") }, (table) => [index("b").on(table.id)]);')).toBe(
      'sqliteTable("a", { id: text("id") });',
    );
    expect(deployedSource("a.ts", "shape.meta({ example: other.meta({ id }) }).max(1);")).toBe("shape.max(1);");
  });

  it("says that an operation answers, but not in which shape, and lets go of shapes that nobody asks for", () => {
    const source = 'export const a = shape(() => 1);\nendpoint({ name: "a", returns: a, status: 201 });\n';
    expect(deployedSource("a.ts", source)).toBe(
      'export const a = /* @__PURE__ */ shape(() => 1);\nendpoint({ name: "a", returns: undeployed, status: 201 });\n\nimport { undeployed } from "#core/shape";\n',
    );
    expect(sourceWith("a.ts", source, { answers: "kept" })).toBe(source);
    expect(undeployed).toThrow("not deployed");
  });

  it("refuses what it cannot read", () => {
    expect(() => deployedSource("a.ts", "const = 1;")).toThrow("a.ts");
  });
});

describe("what scripts/worker.ts leaves out of libraries", () => {
  it.each([
    ["JSON Schema of zod", /toJSONSchema|~standard/],
    ["relational queries of Drizzle", /\bdb\.query\b|\brelations\(|drizzle-orm\/relations/],
  ])("%s is not asked for", (_, words) => {
    expect(files.filter((_path, index) => words.test(sources[index] ?? ""))).toEqual([]);
  });
});
