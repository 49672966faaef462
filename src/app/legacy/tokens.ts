/** Paths of AI tokens and of model requests in system C. Arguments of its acts on tokens come in the query. */
import type { Alias } from "../legacy-paths.ts";

const read = (from: string, to: string): Alias => ({ system: "C", method: "GET", from, to: `/v1/tokens/${to}` });

const act = (from: string, to: string): Alias => ({
  system: "C",
  method: "POST",
  from,
  to: `/v1/tokens/${to}`,
  body: "cTokens",
  bodyFromQuery: true,
});

const ask = (name: string): Alias => ({
  system: "C",
  method: "POST",
  from: `/llm/${name}`,
  to: `/v1/${name}`,
  answer: "cModelAnswer",
});

export const tokens: Alias[] = [
  ...["balance", "usage", "limits", "stats"].map((name) => read(`/tokens/${name}`, name)),
  ...["reserve", "consume", "release"].map((name) => act(`/tokens/${name}`, name)),
  read("/users/me/token-usage", "usage"),
  read("/users/me/token-usage/stats", "stats"),
  read("/stats", "stats"),
  act("/users/me/token-usage", "consume"),
  ...["chat/completions", "completions", "embeddings"].map(ask),
  { ...ask("chat/completions"), from: "/llm/execute", body: "cExecute", answer: "cExecuted" },
];
