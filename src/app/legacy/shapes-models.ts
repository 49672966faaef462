/** How systems C and D name models and the keys for their providers. Pure renamings. */

type Json = Record<string, unknown>;

const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.map(object) : []);

const known = ["provider", "name", "enabled", "replace"];

/** Their clients send more than they need to. */
function fromOlder(body: Json): Json {
  const key = body["key"] ?? body["apiKey"] ?? body["api_key"];
  const baseUrl = body["baseUrl"] ?? body["base_url"];
  const isOn = body["is_active"] ?? body["isActive"];
  return {
    ...Object.fromEntries(Object.entries(body).filter(([name]) => known.includes(name))),
    ...(key === undefined ? {} : { key }),
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(typeof isOn === "boolean" && !("enabled" in body) ? { enabled: isOn } : {}),
  };
}

function without(value: Json, names: readonly string[]): Json {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}

export const modelBodies = {
  /** One for each provider there: storing one again replaces it. */
  dProviderKey: (body: Json): Json => ({ ...fromOlder(body), replace: true }),
  cProviderKey: (body: Json): Json => fromOlder(body),
  providerKeyCheck: (body: Json): Json => without(fromOlder(body), ["name", "enabled", "replace"]),
  providerKeyChange: (body: Json): Json => without(fromOlder(body), ["provider", "replace"]),
} as const;

function keyInfo(key: Json): Json {
  return {
    ...key,
    keyPrefix: key["preview"],
    isActive: key["enabled"],
    isValid: key["valid"],
    lastUsed: key["lastUsedAt"],
  };
}

function toC(key: Json): Json {
  return {
    ...key,
    is_active: key["enabled"],
    created_at: key["createdAt"],
    updated_at: key["updatedAt"],
    last_used_at: key["lastUsedAt"],
  };
}

/** US dollars for one token, as system C listed it. */
function costPerToken(pricing: Json): Json {
  const dollars = (name: string) => Number(pricing[name] ?? 0) / 1e12;
  return { input: dollars("inputMicroUsdPerMillion"), output: dollars("outputMicroUsdPerMillion") };
}

export const modelAnswers = {
  dProviderKeys: (value: Json): unknown => ({ success: true, keys: list(value["items"]).map(keyInfo) }),
  dProviderKey: (value: Json): unknown => ({ success: true, keyInfo: keyInfo(value) }),
  dProviderKeyCheck: (value: Json): unknown => ({ success: true, ...value, isValid: value["valid"] }),
  dProviderKeyUsage: (value: Json): unknown => ({ success: true, usage: value, ...value }),
  cProviderKeys: (value: Json): unknown => list(value["items"]).map(toC),
  cProviderKey: (value: Json): unknown => toC(value),
  cModels: (value: Json): unknown => {
    const models = list(value["data"]).map((model) => ({
      ...model,
      cost_per_token: costPerToken(object(model["pricing"])),
    }));
    const names = [...new Set(list(value["data"]).map((model) => String(model["provider"])))];
    return {
      ...value,
      models,
      provider_status: Object.fromEntries(names.map((name) => [name, "available"])),
      total_models: models.length,
    };
  },
} as const;
