import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { deployedSource } from "./scripts/deployed-source.ts";
import { trim } from "./scripts/trim.ts";
import { testSettings } from "./test/support/secrets.ts";
import { EvenSequencer } from "./test/support/shards.ts";

/** What is deployed is what is tested: the source without the words of the OpenAPI document. Answers are checked, though. */
const asDeployed = {
  name: "as-deployed",
  enforce: "pre" as const,
  transform: {
    filter: { id: /\/src\/.*\.tsx?$/ },
    // No line moves, so there is nothing to map.
    handler: (text: string, path: string) => ({ code: deployedSource(path, text, { answers: "kept" }), map: null }),
  },
};

/** Two projects: `workers` runs in workerd with the real bindings of wrangler.toml, `repo` reads files in plain Node. */
export default defineConfig(async () => {
  await trim();
  return {
    test: {
      silent: "passed-only" as const,
      sequence: { sequencer: EvenSequencer },
      projects: [
        {
          plugins: [
            asDeployed,
            cloudflareTest({
              wrangler: { configPath: "./wrangler.toml" },
              miniflare: {
                bindings: { ...testSettings(), TEST_MIGRATIONS: await readD1Migrations("migrations") },
              },
            }),
          ],
          test: {
            name: "workers",
            include: ["test/**/*.test.ts"],
            exclude: ["test/repo/**", "test/bench/**", "test/bars/**", "test/browser/**"],
            globalSetup: ["test/support/receiver.ts"],
            setupFiles: ["test/support/migrate.ts"],
            isolate: false,
            fileParallelism: false,
            testTimeout: 20_000,
            // Of tests that say they may run at once because they wait most of the time.
            maxConcurrency: 12,
          },
        },
        { test: { name: "repo", include: ["test/repo/**/*.test.ts"], environment: "node" } },
      ],
    },
  };
});
