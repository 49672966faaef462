/** The configuration and the code say the same. */
import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const wrangler = readFileSync("wrangler.toml", "utf8");

describe("wrangler.toml", () => {
  it("has exactly the crons that schedules use", () => {
    const configured: unknown = JSON.parse(/^crons = (\[.*\])$/m.exec(wrangler)?.[1] ?? "[]");
    const table =
      /export const crons = \{(.*)\} as const/.exec(readFileSync("src/core/schedule.ts", "utf8"))?.[1] ?? "";
    const used = [...table.matchAll(/"([^"]+)"/g)].map((match) => match[1]);
    expect(used).toHaveLength(3);
    expect(configured).toEqual(used);
  });

  it("writes every queue setting, and gives each queue a dead-letter queue with a consumer", () => {
    const consumers = wrangler.split("[[queues.consumers]]").slice(1);
    expect(consumers).toHaveLength(5);
    for (const consumer of consumers) {
      for (const setting of ["max_batch_size", "max_batch_timeout", "max_retries", "max_concurrency"])
        expect(consumer).toContain(setting);
      if (!consumer.includes('queue = "overtone-dead-letters"\nmax'))
        expect(consumer).toContain('dead_letter_queue = "overtone-dead-letters"');
    }
  });

  it("binds each Durable Object class that the Worker exports", () => {
    const classes = [...wrangler.matchAll(/class_name = "(\w+)"/g)].map((match) => match[1]);
    const exported = /export \{ ([^}]+) \} from "#durable\/index"/
      .exec(readFileSync("src/index.ts", "utf8"))?.[1]
      ?.split(", ");
    expect(classes.sort()).toEqual(exported?.sort());
  });
});

describe("migrations", () => {
  const files = globSync("migrations/*.sql");

  it("are flat, numbered and additive", () => {
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(file).toMatch(/^migrations\/\d{4}_[a-z0-9-]+\.sql$/);
      expect(readFileSync(file, "utf8")).not.toMatch(/DROP TABLE|__new_|ON DELETE CASCADE/i);
    }
  });

  it("make strict tables", () => {
    for (const file of files) {
      const sql = readFileSync(file, "utf8");
      expect(sql.match(/\) STRICT;/g)?.length ?? 0).toBe(sql.match(/CREATE TABLE/g)?.length ?? 0);
    }
  });
});
