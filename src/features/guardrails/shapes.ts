/** A workspace's guardrails as its admins write them. A rule that could not be kept to is refused here, with the place that is wrong. */
import * as z from "zod";
import { modelPatterns } from "#core/model-patterns";
import { type Output, shape } from "#core/shape";
import { plainLetters } from "#lib/plain-letters";
import { requireUsable } from "./rules.ts";

const maxRules = 50;
/** All rules together, as JSON: it bounds what an isolate keeps of a workspace, and what matching can cost. */
const maxRulesBytes = 65_536;
/** As much as an entry of the audit trail holds. */
const maxRuleBytes = 15_000;

const common = () => ({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,39}$/)
    .meta({ description: "Named in errors, headers and the log.", example: "no-project-names" }),
  name: z.string().trim().min(1).max(100),
});
const when = () =>
  z.enum(["before", "after", "both"]).meta({ description: "`before`: what is asked; `after`: what is answered." });
const replacement = () =>
  z
    .string()
    .max(100)
    .regex(/^[^"\\\p{C}]*$/u, "holds what would break JSON")
    .default("[redacted]")
    .meta({ description: "What `redact` puts in the place of a match." });
const textAction = () => z.enum(["block", "redact", "flag"]);
const wholeAction = () => z.enum(["block", "flag"]);
const most = () => z.number().int().min(1).max(100_000_000).optional();

const word = () =>
  z
    .string()
    .trim()
    .min(1)
    .max(100)
    .refine((text) => plainLetters(text, { ignoreCase: true }).trim() !== "", "holds nothing that can be seen");

const words = () =>
  z.strictObject({
    ...common(),
    kind: z.literal("words"),
    when: when(),
    action: textAction(),
    words: z.array(word()).min(1).max(500),
    whole: z.boolean().default(true).meta({ description: "False: also inside other words." }),
    replacement: replacement(),
  });

const pattern = () =>
  z.strictObject({
    ...common(),
    kind: z.literal("pattern"),
    when: when(),
    action: textAction(),
    pattern: z.string().min(1).max(1_000),
    ignoreCase: z.boolean().default(false),
    replacement: replacement(),
  });

const jsonSchema = () =>
  z.strictObject({
    ...common(),
    kind: z.literal("json-schema"),
    when: z.literal("after"),
    action: wholeAction(),
    schema: z
      .record(z.string(), z.unknown())
      .meta({ description: "JSON Schema 2020-12, as far as it is checked here." }),
  });

const size = () =>
  z.strictObject({
    ...common(),
    kind: z.literal("size"),
    when: z.enum(["before", "after"]),
    action: wholeAction(),
    of: z
      .enum(["input", "message", "output"])
      .meta({ description: "All texts of the request, the largest of its messages, or all texts of the answer." }),
    maxBytes: most(),
    maxTokens: most().meta({ description: "What is not counted by the provider is taken as four bytes a token." }),
  });

const rule = () =>
  z.discriminatedUnion("kind", [words(), pattern(), jsonSchema(), size()]).superRefine((given, check) => {
    const fault = (path: string, message: string) => check.addIssue({ code: "custom", path: [path], message });
    try {
      requireUsable(given);
    } catch (error) {
      fault(given.kind === "json-schema" ? "schema" : given.kind, (error as Error).message);
    }
    if (JSON.stringify(given).length > maxRuleBytes) fault("id", `more than ${maxRuleBytes} bytes`);
    if (given.kind !== "size") return;
    if ((given.of === "output") !== (given.when === "after"))
      fault("when", "is before for input and message, after for output");
    if (given.maxBytes === undefined && given.maxTokens === undefined)
      fault("maxBytes", "maxBytes or maxTokens is missing");
  });

const rules = () =>
  z
    .array(rule())
    .max(maxRules)
    .refine((all) => new Set(all.map(({ id }) => id)).size === all.length, "an id twice")
    .refine((all) => JSON.stringify(all).length <= maxRulesBytes, `more than ${maxRulesBytes} bytes together`)
    .meta({
      description: "Applied in this order.",
      example: [
        {
          id: "mail",
          name: "No addresses",
          kind: "pattern",
          when: "both",
          action: "redact",
          pattern: "[\\w.+-]+@[\\w-]+\\.[a-z]+",
          ignoreCase: true,
        },
      ],
    });

export const guardrailsBody = shape(() =>
  z
    .strictObject({
      version: z
        .number()
        .int()
        .min(0)
        .meta({ description: "Of the guardrails that are changed; 0: there were none.", example: 0 }),
      allowedModels: modelPatterns()
        .default(["*"])
        .meta({ description: "Models that the workspace may use: ids, or patterns in which `*` stands for anything." }),
      rules: rules().default([]),
    })
    .meta({ id: "GuardrailsChange" }),
);

export const guardrailsShape = shape(() =>
  z
    .object({
      version: z.number().int(),
      allowedModels: z.array(z.string()),
      rules: z.array(z.looseObject({ id: z.string(), name: z.string(), kind: z.string() })),
      changedBy: z.string().nullable(),
      changedAt: z.string().nullable(),
    })
    .meta({ id: "Guardrails" }),
);

export type GuardrailsBody = Output<typeof guardrailsBody>;
export type Rule = GuardrailsBody["rules"][number];
