/** What every start of the Worker would pay for and no start needs. */
import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const files = globSync("src/**/*.ts").filter((path) =>
  /^import (?!type).* from "zod";$/m.test(readFileSync(path, "utf8")),
);

/** Statements of the module itself begin in the first column; those that call zod have to be functions or to stand in `shape()`. */
function madeAtStart(source: string): string[] {
  return source
    .split(/^(?=[a-z/])/m)
    .filter((statement) => /^(export )?const /.test(statement) && /\bz\s*\.\s*\w/.test(statement))
    .filter((statement) => !/^(export )?const \w+ = (shape\(|defineJob\(|\([^)]*\) =>)/.test(statement))
    .map((statement) => statement.slice(0, statement.indexOf("=")).trim());
}

describe("a start of the Worker", () => {
  it.each(files)("makes no shape of %s", (path) => {
    expect(madeAtStart(readFileSync(path, "utf8"))).toEqual([]);
  });

  it("brings no language of zod but one: the namespace import is the one that can be shaken", () => {
    const named = files.filter((path) => !readFileSync(path, "utf8").includes('import * as z from "zod";'));
    expect(named).toEqual([]);
  });
});
