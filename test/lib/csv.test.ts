/** Comma-separated values: quoting, and cells that a spreadsheet would run. */
import { describe, expect, it } from "vitest";
import { toCsv } from "#lib/csv";

describe("comma-separated values", () => {
  it("quote what would break a line", () => {
    expect(toCsv([["a", 'say "no"', "x,y", "two\nlines", null, -1.5]])).toBe(
      'a,"say ""no""","x,y","two\nlines",,-1.5\r\n',
    );
  });

  it.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("https://example.com")'])(
    "make text of %s",
    (formula) => {
      expect(toCsv([[formula]]).startsWith(`"'`)).toBe(true);
      expect(toCsv([["fine", formula]])).not.toMatch(/,[=+\-@\t]/);
    },
  );
});
