/** The audit trail is only added to: no other file than core/audit.ts writes to its table, and that one removes by age alone. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const writes = /\b(?:insert|update|delete)\(\s*auditLog\s*\)/g;

const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => ({ file, text: readFileSync(join("src", file), "utf8") }));

describe("the audit trail", () => {
  it("is written by core/audit.ts alone, which changes no entry and deletes by age", () => {
    const found = sources.flatMap(({ file, text }) => [...text.matchAll(writes)].map(([write]) => `${file} ${write}`));
    expect(found.sort()).toEqual([
      "core/audit.ts delete(auditLog)",
      "core/audit.ts insert(auditLog)",
      "core/audit.ts insert(auditLog)",
    ]);
  });

  it("is changed by no statement in plain SQL", () => {
    expect(sources.filter(({ text }) => /(?:update|delete\s+from)\s+audit_log/i.test(text))).toEqual([]);
  });
});
