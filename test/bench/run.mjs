/** `npm run bench`: every figure as a ratio against its peer in the same run, one JSON line each. `-- name` runs one group. */
const groups = {
  seal: () => import("./seal/bench.mjs"),
  storage: () => import("./storage/run.mjs"),
  "request-path": () => import("./request-path/run.mjs"),
  "start-up": () => import("./start-up.mjs"),
};

const wanted = process.argv.slice(2);
let failed = 0;
for (const [name, load] of Object.entries(groups)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const { run } = await load();
  for (const line of await run()) {
    console.log(JSON.stringify({ group: name, ...line }));
    if (!line.ok) failed += 1;
  }
}
process.exit(failed === 0 ? 0 : 1);
