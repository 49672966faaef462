/** How system C names what it knows of an API key. Pure renamings. */
import { serverOwned } from "#core/legacy-body";

type Json = Record<string, unknown>;

/** What its clients send and what ours knows; they send more than they need to. */
const known = [
  "name",
  "scopes",
  "mode",
  "expiresInDays",
  "expiresAt",
  "limits",
  "allowedAddresses",
  "metadata",
  "enabled",
];
const previewCharacters = 8;

/** Members that only the server may set go on, so that they are refused loudly. */
function fromC(body: Json): Json {
  const kept = Object.entries(body).filter(([name]) => known.includes(name) || serverOwned.some((own) => own === name));
  const days = body["expires_in_days"];
  const isOn = body["is_active"];
  return {
    ...Object.fromEntries(kept),
    ...(days === undefined || days === null || "expiresInDays" in body ? {} : { expiresInDays: days }),
    ...(typeof isOn === "boolean" && !("enabled" in body) ? { enabled: isOn } : {}),
  };
}

function toC(key: Json): Json {
  const start = key["start"];
  return {
    ...key,
    preview: (typeof start === "string" ? start : "").slice(0, previewCharacters),
    is_active: key["enabled"],
    created_at: key["createdAt"],
    expires_at: key["expiresAt"],
    last_used_at: key["lastUsedAt"],
    ...(key["key"] === undefined ? {} : { api_key: key["key"] }),
  };
}

export const keyBodies = {
  cKey: fromC,
  /** A key to validate under either name; without one the credential of the request is meant. */
  cValidate: (body: Json): Json => {
    const key = body["key"] ?? body["api_key"];
    return key === undefined ? {} : { key };
  },
} as const;

export const keyAnswers = {
  cKey: (value: Json): Json => toC(value),
  cKeys: (value: Json): unknown => {
    const items = value["items"];
    return Array.isArray(items) ? items.map((item) => toC(item as Json)) : [];
  },
  cValidated: (value: Json): Json => ({
    ...value,
    is_valid: value["valid"],
    key_id: value["keyId"],
    user_id: value["userId"],
  }),
} as const;
