/**
 * The paths of the older systems, as data: which published operation answers each, and how body and answer are renamed.
 * First match wins; then `/api/v1/x` is `/v1/x`; then `/api/x` is `/v1/x`. A row never holds logic of its own.
 */
import type { AnswerShape, BodyShape } from "./legacy-shapes.ts";
import { accounts } from "./legacy/accounts.ts";
import { conversions } from "./legacy/conversions.ts";
import { keys } from "./legacy/keys.ts";
import { models } from "./legacy/models.ts";
import { money } from "./legacy/money.ts";
import { prompts } from "./legacy/prompts.ts";
import { staff } from "./legacy/staff.ts";
import { tokens } from "./legacy/tokens.ts";
import { workspaces } from "./legacy/workspaces.ts";

export interface Alias {
  system: "A" | "B" | "C" | "D";
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With `:name` for a segment. */
  from: string;
  to: string;
  /** When the target's method differs. */
  toMethod?: string;
  /** Only when the JSON body has this member. */
  when?: string;
  body?: BodyShape;
  /** The body's members stand in the query of the older request. */
  bodyFromQuery?: true;
  /** `:name` in `to` may also be a member of the JSON body. */
  paramsFromBody?: true;
  answer?: AnswerShape;
  headers?: Record<string, string>;
  /** Answer with what this operation answers once the first one succeeded; `{name}` is a member of the first answer. */
  followUp?: string;
}

export const aliases: readonly Alias[] = [
  ...conversions,
  ...models,
  ...tokens,
  ...prompts,
  ...keys,
  ...accounts,
  ...workspaces,
  ...money,
  ...staff,
];
