/** Paths of encryption keys and API keys in systems A and C. */
import type { Alias } from "../legacy-paths.ts";

/** The same under each root: what system C's client manages. */
function apiKeysAt(root: string, system: Alias["system"] = "C"): Alias[] {
  return [
    { system, method: "POST", from: root, to: "/v1/api-keys", body: "cKey", answer: "cKey" },
    { system, method: "GET", from: root, to: "/v1/api-keys?limit=100", answer: "cKeys" },
    {
      system,
      method: "GET",
      from: `${root}/validate`,
      to: "/v1/api-keys/validate",
      toMethod: "POST",
      answer: "cValidated",
    },
    {
      system,
      method: "POST",
      from: `${root}/validate`,
      to: "/v1/api-keys/validate",
      body: "cValidate",
      answer: "cValidated",
    },
    {
      system,
      method: "PUT",
      from: `${root}/:id`,
      to: "/v1/api-keys/:id",
      toMethod: "PATCH",
      body: "cKey",
      answer: "cKey",
    },
    { system, method: "DELETE", from: `${root}/:id`, to: "/v1/api-keys/:id", answer: "success" },
  ];
}

export const keys: Alias[] = [
  {
    system: "A",
    method: "POST",
    from: "/api/keys",
    to: "/v1/encryption-keys",
    when: "keyType",
    body: "importedKey",
    answer: "data",
  },
  ...apiKeysAt("/api/keys"),
  {
    system: "A",
    method: "GET",
    from: "/api/keys/:userId",
    to: "/v1/encryption-keys?userId=:userId&limit=100",
    answer: "keys",
  },
  {
    system: "A",
    method: "POST",
    from: "/api/keys/:userId/rotate",
    to: "/v1/encryption-keys/active/rotate?userId=:userId",
    answer: "data",
  },
  ...apiKeysAt("/users/me/api-keys"),
];
