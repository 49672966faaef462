/** Usage and quotas as the clients of systems C and D ask for them. */
import { type Cast, newcomer } from "./cast.ts";
import { checkMembers, type LegacyClient } from "./client.ts";

const quota = {
  resourceType: "string",
  current: "number",
  limit: "number|null",
  percentUsed: "number|null",
  exceeded: "boolean",
  available: "number|null",
};
const resources = ["storage", "processing", "apiCalls", "transcription", "aiTokens"] as const;
/** Of the free plan, in the units of system D's document: minutes a month, calls a month, tokens a month. */
const limits: Partial<Record<(typeof resources)[number], number>> = {
  processing: 60,
  transcription: 30,
  apiCalls: 1_000,
  aiTokens: 50_000,
};

export async function replayUsage(client: LegacyClient, { url }: Cast): Promise<void> {
  const { token, workspaceId } = await newcomer(url);
  const other = await newcomer(url);
  await replayPlanUsage(client, token);
  const root = `/api/usage/${workspaceId}`;
  const all = await client.call("GET", root, 200, { token });
  checkMembers(client, "usage", all.body, { success: "boolean", data: "object", usage: "object", limits: "object" });
  for (const name of resources) checkMembers(client, "usage.usage", all.body?.usage, { [name]: "number" });
  for (const name of resources) {
    const one = await client.call("GET", `${root}/quota/${name}`, 200, { token });
    checkMembers(client, `quota ${name}`, one.body, quota);
    checkMembers(client, `quota ${name}.data`, one.body?.data, quota);
    client.check(one.body?.resourceType === name, `answer: the quota of ${name} is of ${one.body?.resourceType}`);
    const wanted = limits[name];
    if (wanted !== undefined)
      client.check(one.body?.limit === wanted, `answer: the free limit of ${name} is ${one.body?.limit}`);
  }
  await client.call("GET", `${root}/quota/nothing`, 422, { token });
  await replayReports(client, { token, root });
  for (const path of [root, `${root}/report`, `${root}/history`, `${root}/quota/storage`]) {
    await client.call("GET", path, 404, { token: other.token });
    await client.call("GET", path, 401);
  }
}

/** System C's client: `/usage/stats` is what `/subscriptions/usage` is. */
async function replayPlanUsage(client: LegacyClient, token: string): Promise<void> {
  const { body } = await client.call("GET", "/usage/stats", 200, { token });
  checkMembers(client, "usage-stats.usage_limits", body?.usage_limits, {
    monthly_requests: "number",
    monthly_tokens: "number",
    concurrent_requests: "number|null",
    rate_limit_per_minute: "number",
  });
  checkMembers(client, "usage-stats.current_usage", body?.current_usage, {
    requests_used: "number",
    tokens_used: "number",
    reset_date: "string",
  });
  checkMembers(client, "usage-stats.usage_percentage", body?.usage_percentage, {
    requests: "number",
    tokens: "number",
  });
  await client.call("GET", "/usage/stats", 401);
}

async function replayReports(client: LegacyClient, { token, root }: { token: string; root: string }): Promise<void> {
  for (const path of [root, "/api/usage"]) {
    // The older server compared the period in another case than its clients sent it.
    const { body } = await client.call("GET", `${path}/report?period=MONTHLY`, 200, { token });
    checkMembers(client, "report", body?.data, {
      reportType: "string",
      periodStart: "string",
      periodEnd: "string",
      totalUploads: "number",
      totalMinutes: "number",
      totalStorage: "number",
      reportData: "object",
    });
    checkMembers(client, "report.reportData", body?.data?.reportData, {
      costs: "object",
      percentUsed: "object",
      apiCalls: "number",
      transcriptionMinutes: "number",
      aiTokens: "number",
    });
    const history = await client.call("GET", `${path}/history?days=7`, 200, { token });
    checkMembers(client, "history", history.body?.data, { days: "number", items: "array", totals: "object" });
    client.check(history.body?.data?.items?.length >= 7, "answer: the history has not every day");
    checkMembers(client, "history.items", history.body?.data?.items?.[0], { date: "string", apiCalls: "number" });
  }
  const csv = await client.call("GET", `${root}/report?period=weekly&format=csv`, 200, { token });
  client.check(
    (csv.headers.get("content-type") ?? "").startsWith("text/csv"),
    `answer: the report is ${csv.headers.get("content-type")}`,
  );
  await client.call("GET", `${root}/report?period=hourly`, 422, { token });
  const stats = await client.call("GET", "/api/usage/stats?days=7", 200, { token });
  checkMembers(client, "stats", stats.body?.data, { days: "number", totals: "object", byUser: "array" });
}
