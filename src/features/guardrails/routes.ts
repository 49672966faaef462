/** /v1/guardrails: read by everybody whom they hold for, changed by admins. */
import { endpoint } from "#core/endpoint";
import { changeGuardrails, getGuardrails } from "./manage.ts";
import { guardrailsBody, guardrailsShape } from "./shapes.ts";

export const routes = [
  endpoint({
    name: "getGuardrails",
    method: "get",
    path: "/v1/guardrails",
    summary: "Which models the workspace may use, and the rules for what is asked and answered",
    access: "guardrails:read",
    returns: guardrailsShape,
    handle: (ctx) => getGuardrails(ctx),
  }),
  endpoint({
    name: "changeGuardrails",
    method: "put",
    path: "/v1/guardrails",
    summary: "Set them anew; requests go by it within ten seconds",
    description:
      "Patterns are regular expressions without look-around, back-references and lazy quantifiers: they are matched in linear time. What a rule cannot keep to is refused.",
    access: "guardrails:write",
    body: guardrailsBody,
    returns: guardrailsShape,
    problems: ["guardrails-changed"],
    handle: (ctx, { body }) => changeGuardrails(ctx, body),
  }),
];
