/** Paths of usage, quotas, plans and billing in systems C and D. */
import type { Alias } from "../legacy-paths.ts";
import { subscriptions } from "./subscriptions.ts";

/** Usage and quotas. The exact paths come first: `:ws` would take their last word for a workspace. */
const usage: Alias[] = [
  { system: "C", method: "GET", from: "/usage/stats", to: "/v1/subscriptions/usage" },
  ...["history", "report", "stats"].map((name): Alias => ({
    system: "D",
    method: "GET",
    from: `/api/usage/${name}`,
    to: `/v1/usage/${name}`,
    answer: "data",
  })),
  { system: "D", method: "GET", from: "/api/usage/:ws", to: "/v1/usage?workspaceId=:ws", answer: "data" },
  { system: "D", method: "GET", from: "/api/usage/:ws/report", to: "/v1/usage/report?workspaceId=:ws", answer: "data" },
  {
    system: "D",
    method: "GET",
    from: "/api/usage/:ws/history",
    to: "/v1/usage/history?workspaceId=:ws",
    answer: "data",
  },
  {
    system: "D",
    method: "GET",
    from: "/api/usage/:ws/quota/:type",
    to: "/v1/usage/quota/:type?workspaceId=:ws",
    answer: "data",
  },
];

export const money: Alias[] = [...subscriptions, ...usage];
