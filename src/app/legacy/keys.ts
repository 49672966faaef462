/** Paths of encryption keys and API keys in systems A and C. */
import type { Alias } from "../legacy-paths.ts";

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
  { system: "A", method: "POST", from: "/api/keys", to: "/v1/api-keys" },
  { system: "A", method: "GET", from: "/api/keys", to: "/v1/api-keys?limit=100", answer: "items" },
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
  { system: "A", method: "DELETE", from: "/api/keys/:id", to: "/v1/api-keys/:id", answer: "success" },
];
