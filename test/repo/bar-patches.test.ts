/** The bars damage copies of the product by replacing text. Text that is not there any more would be found out only when a bar is run. */
import { globSync, readFileSync } from "node:fs";
import { parseSync, Visitor } from "oxc-parser";
import { describe, expect, it } from "vitest";

interface Patch {
  from: string;
  file: string;
  find: string;
  times: number;
}

type Texts = Map<string, string>;
interface Node {
  type: string;
  [member: string]: unknown;
}

/** Of a literal, of a name for one, or of a template of these; null for anything else. */
function textOf(node: Node | undefined, names: Texts): string | null {
  if (node?.type === "Literal" && typeof node["value"] === "string") return node["value"];
  if (node?.type === "Identifier") return names.get(String(node["name"])) ?? null;
  if (node?.type !== "TemplateLiteral") return null;
  const values = (node["expressions"] as Node[]).map((one) => textOf(one, names));
  const quasis = node["quasis"] as { value: { cooked: string } }[];
  if (values.includes(null)) return null;
  return quasis.map(({ value }, index) => value.cooked + (values[index] ?? "")).join("");
}

function patchesIn(path: string): { patches: Patch[]; unread: string[] } {
  const source = readFileSync(path, "utf8");
  const { program } = parseSync(path, source);
  const names: Texts = new Map();
  const patches: Patch[] = [];
  const unread: string[] = [];
  new Visitor({
    VariableDeclarator({ id, init }) {
      const text = textOf((init ?? undefined) as Node | undefined, names);
      if (id.type === "Identifier" && text !== null) names.set(id.name, text);
    },
  }).visit(program);
  new Visitor({
    ObjectExpression({ properties, start, end }) {
      const member = (name: string): Node | undefined => {
        const found = properties.find((one) => one.type === "Property" && textOf(keyOf(one.key), names) === name);
        return found?.type === "Property" ? (found.value as unknown as Node) : undefined;
      };
      if (!member("find") || !member("replace") || !member("file")) return;
      const [file, find] = [textOf(member("file"), names), textOf(member("find"), names)];
      if (file === null || find === null) unread.push(`${path}: ${source.slice(start, end)}`);
      else patches.push({ from: path, file, find, times: Number(member("times")?.["value"] ?? 1) });
    },
  }).visit(program);
  return { patches, unread };
}

const keyOf = (key: unknown): Node => {
  const node = key as Node;
  return node.type === "Identifier" ? { type: "Literal", value: node["name"] } : node;
};

describe("what bars replace", () => {
  const read = globSync("test/bars/**/*.ts").map((path) => patchesIn(path.replaceAll("\\", "/")));

  it("can be read here, all of it", () => {
    expect(read.flatMap(({ unread }) => unread)).toEqual([]);
    expect(read.flatMap(({ patches }) => patches).length).toBeGreaterThan(30);
  });

  it.each(read.flatMap(({ patches }) => patches))("is there ($from: $find)", ({ file, find, times }) => {
    expect(readFileSync(file, "utf8").split(find).length - 1).toBe(times);
  });
});
