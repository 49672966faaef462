/**
 * Cuts the test files into parts that take about equally long, so that the processors of `npm test` end together. Vitest itself cuts by the
 * hashes of the paths, which left one of two processors half as much again to do as the other.
 */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Processor seconds of the files that take long, measured in one run; they count against each other only. */
export const heavyFiles: Record<string, number> = {
  "app/every-endpoint": 11,
  "durable/hasher": 4,
  "durable/metering-crash": 3,
  "durable/rate-limiter": 5,
  "features/accounts/password": 3,
  "features/accounts/sign-in": 3,
  "features/accounts/users": 5,
  "features/billing/events": 6,
  "features/billing/flow": 6,
  "features/billing/rules": 6,
  "features/chat/streams": 4,
  "features/conversions/endings": 2,
  "features/conversions/format-1": 6,
  "features/conversions/killed-runs": 3,
  "features/conversions/open": 13,
  "features/conversions/requests": 4,
  "features/conversions/results": 3,
  "features/conversions/seal": 4,
  "features/media/complete": 9,
  "features/media/form-upload": 2,
  "features/media/sweep": 5,
  "features/secrets/master-rotation": 3,
  "features/secrets/rotation": 6,
  "features/sign-in-methods/passkeys": 4,
  "features/staff/people": 6,
  "features/sub-users/grants": 4,
  "features/sub-users/manage": 3,
  "features/workspaces/members": 4,
  "lib/zip": 2,
  "repo/cli/admin-create": 4,
};

/** What the other files take on average. */
const lightSeconds = 0.4;

export class EvenSequencer extends BaseSequencer {
  /** The heaviest file first, each to the part that has least to do so far: every part comes to the same cut by itself. */
  override async shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root, shard } = this.ctx.config;
    if (!shard) return files;
    const weighed = files
      .map((file) => ({ file, path: file.moduleId.slice(root.length + 1) }))
      .map(({ file, path }) => ({ file, path, seconds: heavyFiles[shortName(path)] ?? lightSeconds }))
      .sort((a, b) => b.seconds - a.seconds || (a.path < b.path ? -1 : 1));
    const parts = Array.from({ length: shard.count }, () => ({ seconds: 0, files: [] as TestSpecification[] }));
    for (const { file, seconds } of weighed) {
      const least = parts.reduce((found, part) => (part.seconds < found.seconds ? part : found));
      least.seconds += seconds;
      least.files.push(file);
    }
    return parts[shard.index - 1]?.files ?? [];
  }
}

/** `test/features/media/files.test.ts` is `features/media/files`. */
function shortName(path: string): string {
  return path.replace(/^test\//, "").replace(/\.test\.ts$/, "");
}
