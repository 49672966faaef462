/** The file of local secrets: what is read, what a change keeps, and who may read it. */
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readDevVars, writeDevVars } from "../../../src/cli/dev-vars.ts";

const newFile = (text?: string) => {
  const file = join(mkdtempSync(join(tmpdir(), "dev-vars-")), ".dev.vars");
  if (text !== undefined) writeFileSync(file, text);
  return file;
};

const json = '{"keys":[{"kid":"a#b","d":"x=y"}]}';

describe("reading", () => {
  it("reads plain, quoted and exported values, and nothing of comments", async () => {
    const file = newFile(`# MASTER_KEYS=no\nA=1:ab+/=\nB='${json}'\nexport C="two words" # why\r\nD=\`it's\`\n`);
    expect(await readDevVars(file)).toEqual({ A: "1:ab+/=", B: json, C: "two words", D: "it's" });
  });

  it("finds no variables where there is no file", async () => {
    expect(await readDevVars(newFile())).toEqual({});
  });
});

describe("writing", () => {
  it("makes a file that only its owner can read, and leaves no draft behind", async () => {
    const file = newFile();
    await writeDevVars(file, { MASTER_KEYS: "1:abc=", JWT_PRIVATE_JWKS: json, NOTE: "it's two words" });
    expect(await readDevVars(file)).toEqual({ MASTER_KEYS: "1:abc=", JWT_PRIVATE_JWKS: json, NOTE: "it's two words" });
    if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(file, ".."))).toEqual([".dev.vars"]);
  });

  it("changes the named variable and no other line", async () => {
    const file = newFile(`# local secrets\nMASTER_KEYS=1:old # first\n\nMASTER_KEYS_NOTE=keep\nJWT='${json}'\n`);
    await writeDevVars(file, { MASTER_KEYS: "2:new,1:old" });
    expect(readFileSync(file, "utf8")).toBe(
      `# local secrets\nMASTER_KEYS=2:new,1:old\n\nMASTER_KEYS_NOTE=keep\nJWT='${json}'\n`,
    );
  });

  it("adds to a file without a last newline", async () => {
    const file = newFile("A=1");
    await writeDevVars(file, { A: "1", B: "$& $1" });
    expect(await readDevVars(file)).toEqual({ A: "1", B: "$& $1" });
    await writeDevVars(file, { B: "$` two" });
    expect(await readDevVars(file)).toEqual({ A: "1", B: "$` two" });
  });

  it("replaces a quoted value that spans lines", async () => {
    const file = newFile('A="one\ntwo"\nB=2\n');
    await writeDevVars(file, { A: "three" });
    expect(readFileSync(file, "utf8")).toBe("A=three\nB=2\n");
  });

  it("refuses what would read back differently, and leaves the file as it was", async () => {
    const text = 'A=1\nB="\nA=inside\n"\n';
    const doubled = "A=1\nA=2\nB=3\n";
    for (const [before, change] of [
      [doubled, { A: "9" }],
      [text, { C: "both ' and `" }],
      [text, { "no name": "x" }],
    ] as const) {
      const file = newFile(before);
      await expect(writeDevVars(file, change)).rejects.toThrow();
      expect(readFileSync(file, "utf8")).toBe(before);
      expect(readdirSync(join(file, ".."))).toEqual([".dev.vars"]);
    }
  });
});
