/** What people would read of a page, however it is written. */
import { describe, expect, it } from "vitest";
import { pageText, tidy } from "#lib/page-text";

const text = (html: string) => pageText(html, 1_000);

describe("the text of a page", () => {
  it.each([
    ["<p>One</p><p>Two</p>", "One Two"],
    ["a<br>b", "a b"],
    ["  much \n\t space  ", "much space"],
    ["<script>var a = '<p>no</p>';</script>yes", "yes"],
    ["<SCRIPT src=x>no</ScRiPt >yes", "yes"],
    ["<style>p{}</style><title>no</title><noscript>no</noscript>yes", "yes"],
    ["<scripted>yes</scripted>", "yes"],
    ["<!-- no <p>no</p> -->yes", "yes"],
    ["<!doctype html><?xml no?>yes", "yes"],
    ["1 < 2 && 3 > 2", "1 < 2 && 3 > 2"],
    ["&lt;b&gt; &amp;amp; &#65;&#x42; &nbsp;&quot;&apos; &unknown;", "<b> &amp; AB \"' &unknown;"],
    ["&#0;&#xD800;&#x110000;x", "x"],
    ["before<script>never closed", "before"],
    ["before<!-- never closed", "before"],
    ["before<a href='never closed", "before"],
    ["nul\0s", "nuls"],
    ["", ""],
  ])("%j", (html, expected) => {
    expect(text(html)).toBe(expected);
  });

  it("is cut where it is too long", () => {
    expect(pageText("<p>abcdef</p>", 3)).toBe("abc");
    expect(tidy("abc  def", 5)).toBe("abc d");
  });

  it("is found in one pass, whatever is opened and never closed", () => {
    for (const piece of ["<script>", "<!--", "<a ", "<", "</", "<style><script>"])
      expect(text(`start ${piece.repeat(200_000)}`).startsWith("start")).toBe(true);
  });
});
