/** The published surface: every operation of the list is in the document with what a client needs, and the documents name real things. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { permissionNames, staffPermissionNames } from "#core/access";

interface Operation {
  operationId?: string;
  summary?: string;
  tags?: string[];
  security?: unknown[];
  "x-public"?: boolean;
  "x-access"?: string;
  responses?: Record<string, { content?: Record<string, { schema?: object }> }>;
}

const document = JSON.parse(readFileSync("docs/openapi.json", "utf8")) as {
  paths: Record<string, Record<string, Operation>>;
};
const shape = (path: string) => path.replaceAll(/\{[^}]+\}/g, "{}").replace(/\/$/, "");
const published = new Map<string, Operation>(
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [`${method.toUpperCase()} ${shape(path)}`, operation] as const),
  ),
);
/** The groups whose operations are built. */
const built = new Set(["core", "identity"]);
const wanted = readFileSync("test/repo/routes.txt", "utf8")
  .split("\n")
  .filter((line) => line.trim() && !line.startsWith("#"))
  .map((line) => line.trim().split(/\s+/))
  .filter(([group]) => built.has(group ?? ""))
  .map(([, method, path]) => `${method} ${shape(path ?? "")}`);

describe("the OpenAPI document", () => {
  it.each(wanted)("publishes %s", (name) => {
    const operation = published.get(name);
    expect(operation).toMatchObject({
      operationId: expect.stringMatching(/./),
      summary: expect.stringMatching(/./),
      tags: [expect.stringMatching(/./)],
      security: expect.any(Array),
    });
    const answers = Object.entries(operation?.responses ?? {});
    expect(answers.some(([status]) => /^[23]/.test(status))).toBe(true);
    if (name !== "GET /health" && !name.includes("/.well-known"))
      expect(answers.some(([status]) => status.startsWith("4"))).toBe(true);
    for (const [status, answer] of answers) {
      const json = Object.entries(answer.content ?? {}).filter(([type]) => type.includes("json"));
      if (status.startsWith("2"))
        for (const [, content] of json) expect(Object.keys(content.schema ?? {}).length).toBeGreaterThan(0);
    }
  });

  it("declares who may call each operation, in words that the product knows", () => {
    const words: readonly string[] = ["signed-in", "session", ...permissionNames, ...staffPermissionNames];
    const lacking = [...published].filter(
      ([, operation]) => operation["x-public"] !== true && !words.includes(operation["x-access"] ?? ""),
    );
    expect(lacking.map(([name]) => name)).toEqual([]);
  });

  it("names each operation once", () => {
    const names = [...published.values()].map((operation) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("the documents", () => {
  it.each(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/storage.md"])(
    "%s names files that exist",
    (path) => {
      const text = readFileSync(path, "utf8");
      const named = [...text.matchAll(/`((?:src|test|docs|migrations|scripts)\/[\w./-]+)`/g)].map(
        (match) => match[1] ?? "",
      );
      expect(named.filter((name) => !existsSync(name.replace(/\/$/, "")))).toEqual([]);
      const scripts = (JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> }).scripts;
      const commands = [...text.matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1] ?? "");
      expect(commands.filter((name) => !(name in scripts))).toEqual([]);
    },
  );

  it("document every table", () => {
    const storage = readFileSync("docs/storage.md", "utf8");
    const tables = globSync("src/**/tables.ts").flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/sqliteTable\(\s*"(\w+)"/g)].map((match) => match[1] ?? ""),
    );
    expect(tables.length).toBeGreaterThan(5);
    expect(tables.filter((table) => !storage.includes(`\`${table}\``))).toEqual([]);
  });
});
