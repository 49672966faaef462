import { describe, expect, it } from "vitest";
import { catalogue, factsOfName, isProviderName, providers, unknownFacts } from "#adapters/llm/catalogue";
import { capabilities, dialects } from "#adapters/llm/contract";

describe("the catalogue", () => {
  it("holds whole numbers, known words and no model twice", () => {
    for (const [id, model] of catalogue) {
      expect(model.id).toBe(id);
      for (const price of Object.values(model.price)) expect(Number.isSafeInteger(price) && price >= 0, id).toBe(true);
      expect(model.price.cachedInputMicroUsdPerMillion, id).toBeLessThanOrEqual(model.price.inputMicroUsdPerMillion);
      expect(model.contextTokens, id).toBeGreaterThan(0);
      expect(model.maxOutputTokens, id).toBeLessThanOrEqual(model.contextTokens);
      expect(model.capabilities.length, id).toBeGreaterThan(0);
      for (const capability of model.capabilities) expect(capabilities).toContain(capability);
      for (const provider of model.providers) expect(isProviderName(provider), id).toBe(true);
    }
  });

  it("knows addresses without a slash at the end, and prefixes that end in one", () => {
    for (const [name, provider] of Object.entries(providers)) {
      expect(dialects, name).toContain(provider.dialect);
      if (provider.baseUrl !== null) expect(provider.baseUrl, name).toMatch(/^https:\/\/[\w./-]+[^/]$/);
      if (provider.prefix !== null) expect(provider.prefix, name).toMatch(/^[a-z0-9]+\/$/);
    }
    expect(Object.values(providers).flatMap(({ prefix }) => prefix ?? [])).toEqual([
      "a4f/",
      "or/",
      "glama/",
      "req/",
      "aiml/",
    ]);
    expect(isProviderName("toString")).toBe(false);
  });

  it.each([
    ["gpt-4", 30_000_000, 60_000_000],
    ["gpt-3.5-turbo", 1_500_000, 2_000_000],
    ["gpt-4-turbo", 10_000_000, 30_000_000],
    ["claude-3-sonnet", 3_000_000, 15_000_000],
    ["claude-3-haiku", 250_000, 1_250_000],
  ])("charges for %s what system C charged", (id, input, output) => {
    expect(catalogue.get(id)?.price).toMatchObject({
      inputMicroUsdPerMillion: input,
      outputMicroUsdPerMillion: output,
    });
  });

  it.each(["gpt-4o-mini", "gpt-4o", "o3-mini", "gpt-5"])("has %s of system B's levels, at its upstream too", (id) => {
    expect(catalogue.get(id)?.providers).toContain("wapi");
  });

  it.each([
    ["openai/gpt-4o", "gpt-4o"],
    ["provider-1/gpt-4o-2024-08-06", "gpt-4o"],
    ["claude-3-haiku-20240307", "claude-3-haiku"],
    ["anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"],
    ["openai/gpt-oss-20b", "openai/gpt-oss-20b"],
  ])("recognises %s", (name, id) => {
    expect(factsOfName(name)?.id).toBe(id);
  });

  it("says of a name that nobody knows that it knows nothing", () => {
    expect(factsOfName("vendor/new-model")).toBeNull();
    expect(factsOfName("gpt-4o-audio")).toBeNull();
    expect(unknownFacts("vendor/new-model")).toMatchObject({
      id: "vendor/new-model",
      price: { inputMicroUsdPerMillion: 1_000_000, outputMicroUsdPerMillion: 1_000_000 },
    });
  });
});
