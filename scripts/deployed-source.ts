/**
 * Takes out of a source file what nothing reads that answers a request: the words of the OpenAPI document (summaries, descriptions, lists
 * of problems, what `meta` tells of a shape) and the indexes and checks of tables. The document and the migrations are made from the source.
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

function cutsIn(node: Node, text: string): Cut[] {
  const own = isCall(node) ? [...metaOf(node), ...wordsOf(node, text), ...indexesOf(node)] : [];
  const children = Object.values(node).flat().filter(isNode);
  return [...own, ...children.flatMap((child) => cutsIn(child, text))];
}

/** The text with its lines where they were, so that positions in it stay true. */
export function deployedSource(path: string, text: string): string {
  const { program, errors } = parseSync(path, text);
  const [error] = errors;
  if (error) throw new Error(`${path}: ${error.message}`);
  const cuts = cutsIn(program as unknown as Node, text).sort((a, b) => a.start - b.start);
  let kept = "";
  let at = 0;
  for (const { start, end } of cuts) {
    // It lies within the one before.
    if (start < at) continue;
    kept += text.slice(at, start) + text.slice(start, end).replaceAll(/[^\n]+/g, "");
    at = end;
  }
  return kept + text.slice(at);
}
