/** The engine for strangers' patterns against the runtime's own, on patterns that neither of them takes long for. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Fuel, linearPattern, OutOfFuel } from "#lib/linear-pattern";
import { anyOf, parsePattern, PatternError } from "#lib/pattern-syntax";

const fuel = (): Fuel => ({ left: 50_000_000 });
const made = (source: string, ignoreCase = false) => linearPattern(parsePattern(source, { ignoreCase }));

function all(source: string, text: string): string[] {
  const pattern = made(source);
  const found: string[] = [];
  for (let from = 0; ;) {
    const match = pattern.find(text, from, { isWhole: true, fuel: fuel() });
    if (!match) return found;
    found.push(text.slice(match.start, match.end));
    from = match.end;
  }
}

describe("a pattern", () => {
  it.each([
    ["\\d{3}-\\d{4}", "call 555-1234 or 555-99999", ["555-1234", "555-9999"]],
    ["sk-[A-Za-z0-9]{8,}", "key sk-abcdEFGH1234, and sk-short", ["sk-abcdEFGH1234"]],
    ["\\bcat\\b", "cat concat cat's", ["cat", "cat"]],
    ["^a|b$", "aab", ["a", "b"]],
    ["(?:ab|abc)d?", "abcd abd", ["abcd", "abd"]],
    ["[^\\w\\s]+", "a -- b!", ["--", "!"]],
    ["\\u00e9t\\xe9", "été", ["été"]],
    ["[\\]\\-a]", "]-b", ["]", "-"]],
    ["😀.", "a😀😀b", ["😀😀"]],
    ["a.c", "a\nc a😀c", ["a😀c"]],
  ])("%s finds what it says", (source, text, expected) => {
    expect(all(source, text)).toEqual(expected);
  });

  it.each([
    ["(?=a)b", "look-around"],
    ["(a)\\1", "\\1 is not available"],
    ["a*?", "lazy"],
    ["a**", "without something to repeat"],
    ["\\xg0", "no character"],
    ["\\u12", "no character"],
    ["*a", "without something to repeat"],
    ["a{2,1}", "from more to less"],
    ["a{1001}", "more than 1000"],
    ["(?:a{1000}){1000}", "too large"],
    ["(a", "does not end"],
    ["a)", "closes nothing"],
    ["[a", "does not end"],
    ["[]", "an empty set"],
    ["a{", "no quantifier"],
    ["\\p{L}", "\\p is not available"],
    ["a*", "empty text"],
    ["\\b", "empty text"],
    ["", "empty text"],
    ["(".repeat(60), "too many groups"],
  ])("%s is refused by name", (source, words) => {
    expect(() => made(source)).toThrow(PatternError);
    expect(() => made(source)).toThrow(words);
  });

  it("finds and begins where the runtime's own engine does", () => {
    const atom = fc.constantFrom("a", "b", "[ab]", "[^a]", ".", "\\w", "\\b", "ab", "\\d", "^a", "b$");
    const piece = fc
      .tuple(atom, fc.constantFrom("", "*", "+", "?", "{2}", "{1,3}"))
      .map(([one, times]) => (/^\\b$|[\^]a|\$$/.test(one) ? one : `(?:${one})${times}`));
    const source = fc
      .array(
        fc.array(piece, { minLength: 1, maxLength: 4 }).map((all) => all.join("")),
        { minLength: 1, maxLength: 3 },
      )
      .map((all) => all.join("|"));
    const text = fc.string({ unit: fc.constantFrom("a", "b", "1", " ", "\n"), maxLength: 14 });
    fc.assert(
      fc.property(source, text, (pattern, given) => {
        fc.pre(!new RegExp(`^(?:${pattern})$`).test("") && !new RegExp(pattern, "g").test(""));
        let engine;
        try {
          engine = made(pattern);
        } catch (error) {
          expect(String(error)).toContain("empty text");
          return;
        }
        const match = engine.find(given, 0, { isWhole: true, fuel: fuel() });
        expect(match?.start ?? -1).toBe(given.search(new RegExp(pattern)));
      }),
      { numRuns: 2_000 },
    );
  });

  it("gives the same matches however the text is cut, because nothing that is open is let go", () => {
    const pattern = made("ab+c|\\bcat\\b|x{3,}");
    const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "x", " ", "t"), maxLength: 30 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(30), { maxLength: 5 }), (given, cuts) => {
        const whole: string[] = [];
        for (let from = 0; ;) {
          const match = pattern.find(given, from, { isWhole: true, fuel: fuel() });
          if (!match) break;
          whole.push(`${match.start}-${match.end}`);
          from = match.end;
        }
        const parts: string[] = [];
        let from = 0;
        for (const cut of [...cuts.toSorted((one, other) => one - other), Infinity]) {
          const isWhole = cut === Infinity;
          const seen = given.slice(0, cut);
          for (;;) {
            const match = pattern.find(seen, from, { isWhole, fuel: fuel() });
            if (!match) break;
            parts.push(`${match.start}-${match.end}`);
            from = match.end;
          }
          if (!isWhole) from = Math.max(from, pattern.openFrom(seen, from, fuel()));
        }
        expect(parts).toEqual(whole);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("patterns that keep other engines busy for hours", () => {
  it.each(["(a+)+$", "(a|a)*b", "(a|aa)+$", "(?:a*)*c", "(.*a){12}", "(a|b)*a(a|b){11}", "a{0,500}a{500}b"])(
    "%s takes steps in proportion to the text",
    (source) => {
      const pattern = made(source);
      const spent = (length: number): number => {
        const tank = { left: 100_000_000 };
        pattern.find("a".repeat(length), 0, { isWhole: true, fuel: tank });
        return 100_000_000 - tank.left;
      };
      spent(1_000);
      const [once, tenfold] = [spent(20_000), spent(200_000)];
      expect(tenfold).toBeLessThan(once * 11 + 100_000);
    },
  );

  it("end when their fuel does", () => {
    const pattern = made("(a|b)*a(a|b){200}c");
    const text = Array.from({ length: 20_000 }, (_, index) => ((index * index) % 7 < 3 ? "a" : "b")).join("");
    expect(() => pattern.find(text, 0, { isWhole: true, fuel: { left: 100_000 } })).toThrow(OutOfFuel);
  });
});

it("a list of hundreds of words is one walk", () => {
  const words = Array.from({ length: 500 }, (_, index) => `word${index}x`);
  const pattern = linearPattern(anyOf(words), 20_000);
  const text = "nothing to be found in here ".repeat(4_000);
  const tank = { left: 10_000_000 };
  expect(pattern.find(text, 0, { isWhole: true, fuel: tank })).toBeNull();
  expect(10_000_000 - tank.left).toBeLessThan(text.length * 1.2);
  expect(pattern.find(`${text}word499x`, 0, { isWhole: true, fuel: tank })).toEqual({
    start: text.length,
    end: text.length + 8,
  });
});
