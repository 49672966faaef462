/** Writes the next migration from the tables of all features: `npm run db:generate -- name-of-the-change`. Read it before you commit it. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const [name] = process.argv.slice(2);
if (!name || !/^[a-z0-9-]+$/.test(name)) throw new Error("usage: npm run db:generate -- name-of-the-change");

const folder = "migrations/drizzle";
execFileSync("node_modules/.bin/drizzle-kit", ["generate", "--name", name], { stdio: "inherit" });

for (const file of sqlFiles()) {
  // D1 reads flat files and wants no break marks; STRICT makes a wrong type an error instead of a surprise.
  const sql = readFileSync(`${folder}/${file}`, "utf8")
    .replaceAll("--> statement-breakpoint", "")
    .replaceAll(/^\);$/gm, ") STRICT;");
  const number = String(readdirSync("migrations").filter((entry) => entry.endsWith(".sql")).length).padStart(4, "0");
  writeFileSync(`migrations/${number}_${name}.sql`, sql);
  rmSync(`${folder}/${file}`);
  console.log(`migrations/${number}_${name}.sql: read it, then commit it together with ${folder}/meta`);
}

function sqlFiles(): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".sql"));
}
