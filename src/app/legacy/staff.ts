/** Paths of administration and support in systems A, B and C. */
import type { Alias } from "../legacy-paths.ts";

type Method = Alias["method"];
type More = Omit<Alias, "system" | "method" | "from" | "to">;

const row =
  (system: Alias["system"]) =>
  (path: `${Method} ${string}`, to: string, more: More = {}): Alias => {
    const [method, from] = path.split(" ") as [Method, string];
    return { system, method, from, to, ...more };
  };

const [a, b, c] = [row("A"), row("B"), row("C")];
const user = "/v1/admin/users/:id";
const helped = "/v1/support/users/:id";

const panel: Alias[] = [
  b("POST /v1/admin-panel/login", "/v1/auth/login", { body: "adminSignIn", answer: "staffSession" }),
  b("POST /v1/admin-panel/create-admin", "/v1/admin/admins", { body: "newAdmin", answer: "staffMember" }),
  b("GET /v1/admin-panel/users", "/v1/admin/users", { answer: "people" }),
  b("GET /v1/admin-panel/users/:id", user, { answer: "person" }),
  b("PUT /v1/admin-panel/users/:id", user, { toMethod: "PATCH", body: "personChange", answer: "person" }),
  b("DELETE /v1/admin-panel/users/:id", `${user}?reason=:reason`, { paramsFromBody: true, answer: "success" }),
  b("POST /v1/admin-panel/users/:id/regenerate-api-key", `${user}/api-key/regenerate`, { answer: "revokedKeys" }),
  b("GET /v1/admin-panel/statistics", "/v1/admin/stats", { answer: "statistics" }),
  b("GET /v1/admin-panel/security-logs", "/v1/admin/security-logs", { answer: "securityLogs" }),
  b("GET /v1/admin-panel/message-logs/:id", "/v1/admin/message-logs/:id", { answer: "messageLogs" }),
  b("GET /v1/admin-panel/health", "/v1/admin/health", { answer: "data" }),
  b("PUT /v1/admin/system-prompts", "/v1/admin/system-prompts/:r_type", {
    paramsFromBody: true,
    body: "promptText",
    answer: "systemPrompt",
  }),
];

const support: Alias[] = [
  b("POST /v1/support/login", "/v1/auth/login", { body: "supportSignIn", answer: "staffSession" }),
  b("POST /v1/support/create", "/v1/support/staff", { body: "newSupport", answer: "staffMember" }),
  b("GET /v1/support/profile", "/v1/support/profile", { answer: "staffMember" }),
  b("GET /v1/support/users", "/v1/support/users", { answer: "helpedPeople" }),
  b("GET /v1/support/users/:id", helped, { answer: "person" }),
  b("POST /v1/support/users/:id/reset-password", `${helped}/reset-password`, { answer: "success" }),
  b("PUT /v1/support/users/:id", helped, { toMethod: "PATCH", body: "personChange", answer: "person" }),
  b("PUT /v1/support/users/:id/credits", helped, { toMethod: "PATCH", body: "credits", answer: "person" }),
  b("PUT /v1/support/users/:id/plan", `${helped}/plan`, { toMethod: "POST", body: "planName", answer: "person" }),
];

const extension: Alias[] = [
  c("GET /admin/users", "/v1/admin/users", { answer: "barePeople" }),
  c("GET /admin/usage-stats", "/v1/admin/usage-stats"),
  c("GET /admin/revenue", "/v1/admin/revenue"),
  c("GET /admin/system-stats", "/v1/admin/stats"),
  c("PUT /admin/users/:id/plan", `${user}/plan`, {
    toMethod: "POST",
    bodyFromQuery: true,
    body: "planName",
    answer: "person",
  }),
];

export const staff: Alias[] = [
  a("GET /api/admin/stats", "/v1/admin/stats", { answer: "adminStats" }),
  a("GET /api/admin/logs", "/v1/admin/logs", { answer: "systemLogs" }),
  ...panel,
  ...support,
  ...extension,
];
