/** The published table of plans, and what picks one limit out of it. */
import { describe, expect, it } from "vitest";
import { conversionLimit, requestLimit } from "#core/limits";
import { limitsOf, type PlanName, plans } from "#core/plans";

const gibibyte = 1024 ** 3;

describe("the plans", () => {
  it("are the published ones", () => {
    const row = (name: PlanName) => {
      const { monthlyMicroUsd, yearlyMicroUsd, trialDays, limits } = plans[name];
      return [
        monthlyMicroUsd / 1e6,
        yearlyMicroUsd / 1e6,
        trialDays,
        (limits.storageBytes ?? 0) / gibibyte,
        limits.processingMinutesPerMonth,
        limits.transcriptionMinutesPerMonth,
        limits.apiCallsPerMonth,
        limits.aiTokensPerMonth,
        limits.creditsPerDay,
        limits.apiKeyRequestsPerMinute,
        limits.chatRequestsPerMinute,
        limits.batchRequestsPerMinute,
        limits.conversionsPerHour,
        limits.members,
      ];
    };
    expect(row("free")).toEqual([0, 0, 0, 1, 60, 30, 1_000, 50_000, 10, 30, 10, 5, 10, 3]);
    expect(row("pro")).toEqual([29.99, 287.9, 14, 10, 600, 300, 30_000, 1_000_000, 100, 100, 50, 20, 100, 10]);
    expect(row("enterprise")).toEqual([99.99, 899.91, 0, 100, null, null, null, null, null, 500, 200, 100, null, null]);
  });

  it("give way to a superadmin's overrides, one by one, null for none", () => {
    const limits = limitsOf("free", { aiTokensPerMonth: 7, conversionsPerHour: null });
    expect(limits).toMatchObject({ aiTokensPerMonth: 7, conversionsPerHour: null, apiCallsPerMonth: 1_000 });
    expect(conversionLimit("free", { conversionsPerHour: null })).toBeNull();
    expect(conversionLimit("free", {})).toMatchObject({ quota: 10 });
  });
});

describe("requests a minute", () => {
  it("are counted by class for keys and together for sessions", () => {
    const key = { kind: "api-key", plan: "pro", overrides: { batchRequestsPerMinute: null } } as const;
    expect(requestLimit({ ...key, limitClass: "default" })).toEqual({ name: "default", quota: 100, windowSeconds: 60 });
    expect(requestLimit({ ...key, limitClass: "chat" })).toEqual({ name: "chat", quota: 50, windowSeconds: 60 });
    expect(requestLimit({ ...key, limitClass: "batch" })).toBeNull();
    expect(requestLimit({ ...key, kind: "user", limitClass: "chat" })).toMatchObject({ name: "session", quota: 600 });
  });
});
