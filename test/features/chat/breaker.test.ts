import { describe, expect, it } from "vitest";
import { openBreaker } from "#features/chat/breaker";

const second = 1_000;

describe("leaving a failing target alone", () => {
  it("asks it until it failed five times in a row", () => {
    const breaker = openBreaker();
    for (let failure = 1; failure <= 4; failure += 1) breaker.failed("a", failure);
    expect(breaker.closedFor("a", 5)).toBeNull();
    breaker.failed("a", 5);
    expect(breaker.closedFor("a", 5)).toBe(15 * second);
    expect(breaker.closedFor("b", 5)).toBeNull();
  });

  it("forgets failures at a success, and those that lie apart", () => {
    const breaker = openBreaker();
    for (let failure = 1; failure <= 4; failure += 1) breaker.failed("a", failure);
    breaker.succeeded("a");
    breaker.failed("a", 5);
    expect(breaker.closedFor("a", 5)).toBeNull();
    for (let failure = 0; failure < 10; failure += 1) breaker.failed("b", failure * 61 * second);
    expect(breaker.closedFor("b", 10 * 61 * second)).toBeNull();
  });

  it("lets one through when the time is up, and judges by that one", () => {
    const breaker = openBreaker();
    for (let failure = 0; failure < 5; failure += 1) breaker.failed("a", 0);
    expect(breaker.closedFor("a", 15 * second)).toBeNull();
    expect(breaker.closedFor("a", 15 * second)).toBe(15 * second);
    breaker.failed("a", 16 * second);
    expect(breaker.closedFor("a", 17 * second)).toBe(14 * second);
    expect(breaker.closedFor("a", 31 * second)).toBeNull();
    breaker.succeeded("a");
    expect(breaker.closedFor("a", 31 * second)).toBeNull();
  });
});
