import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { trim } from "./scripts/trim.ts";
import { testSettings } from "./test/support/secrets.ts";
import { EvenSequencer } from "./test/support/shards.ts";

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
          },
        },
        { test: { name: "repo", include: ["test/repo/**/*.test.ts"], environment: "node" } },
      ],
    },
  };
});
