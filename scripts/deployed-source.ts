/**
 * Takes out of a source file what nothing reads that answers a request: the words of the OpenAPI document (summaries, descriptions, lists
 * of problems, what `meta` tells of a shape), the indexes and checks of tables, and the shapes of answers. The document and the migrations are made from the source.
 */
import { parseSync } from "oxc-parser";

/** Members of the object that each of these is given. `AnyEndpoint`, which the Worker mounts, does not have them. */
const words: Record<string, readonly string[]> = {
  defineFeature: ["summary"],
  endpoint: ["summary", "description", "problems"],
  modelEndpoint: ["summary", "description"],
  rawEndpoint: ["summary", "description", "problems", "produces"],
};

interface Cut {
  start: number;
  end: number;
  /** What comes in its place. */
  put?: string;
}

interface Options {
  /** Whether operations keep the shapes of their answers, by which tests check every one. */
  answers: "kept" | "left-out";
}

/** What of the syntax tree is looked at. */
interface Node extends Cut {
  type: string;
  [member: string]: unknown;
}

interface Call extends Node {
  callee: Node;
  arguments: Node[];
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}

function isCall(node: Node): node is Call {
  return node.type === "CallExpression";
}

/** `shape.meta({...})`, from behind the shape to the end. */
function metaOf({ callee, arguments: given, end }: Call): Cut[] {
  const { object, property } = callee;
  const isMeta = callee.type === "MemberExpression" && isNode(property) && property["name"] === "meta";
  return isMeta && isNode(object) && given.length === 1 ? [{ start: object.end, end }] : [];
}

/** The members of `endpoint({...})`, each with the comma behind it. */
function wordsOf({ callee, arguments: given }: Call, text: string): Cut[] {
  const names = words[String(callee["name"])] ?? [];
  const members = given.flatMap(({ properties }) => properties ?? []).filter(isNode);
  return members
    .filter(({ key }) => isNode(key) && names.includes(String(key["name"])))
    .map(({ start, end }) => ({ start, end: text[end] === "," ? end + 1 : end }));
}

/** The third argument of `sqliteTable(name, columns, (table) => [...])`, which Drizzle keeps for whoever makes migrations. */
function indexesOf({ callee, arguments: given }: Call): Cut[] {
  const [, columns, indexes] = given;
  return callee["name"] === "sqliteTable" && columns && indexes ? [{ start: columns.end, end: indexes.end }] : [];
}

/** `returns` in `endpoint({...})` says that there is an answer, not which one; and a shape that nobody asks for any more may go. */
function answersOf({ callee, arguments: given, start }: Call): Cut[] {
  const name = String(callee["name"]);
  if (name === "shape" || name === "pageOf") return [{ start, end: start, put: "/* @__PURE__ */ " }];
  if (!(name in words)) return [];
  const members = given.flatMap(({ properties }) => properties ?? []).filter(isNode);
  return members
    .filter(({ key }) => isNode(key) && key["name"] === "returns")
    .map(({ start: from, end }) => ({ start: from, end, put: "returns: undeployed" }));
}

function cutsIn(node: Node, text: string, options: Options): Cut[] {
  const own = isCall(node) ? [...metaOf(node), ...wordsOf(node, text), ...indexesOf(node)] : [];
  const answers = isCall(node) && options.answers === "left-out" ? answersOf(node) : [];
  const children = Object.values(node).flat().filter(isNode);
  return [...own, ...answers, ...children.flatMap((child) => cutsIn(child, text, options))];
}

/** The text with its lines where they were, so that positions in it stay true. */
export function deployedSource(path: string, text: string, options: Options): string {
  const { program, errors } = parseSync(path, text);
  const [error] = errors;
  if (error) throw new Error(`${path}: ${error.message}`);
  const cuts = cutsIn(program as unknown as Node, text, options).sort((a, b) => a.start - b.start);
  let kept = "";
  let at = 0;
  for (const { start, end, put = "" } of cuts) {
    // It lies within the one before.
    if (start < at) continue;
    kept += text.slice(at, start) + put + text.slice(start, end).replaceAll(/[^\n]+/g, "");
    at = end;
  }
  kept += text.slice(at);
  // At the end, as that moves no line.
  return kept.includes(": undeployed") ? `${kept}\nimport { undeployed } from "#core/shape";\n` : kept;
}
