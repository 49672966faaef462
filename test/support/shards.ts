/**
 * Cuts the test files into parts that take about equally long, so that the processors of `npm test` end together. Vitest itself cuts by the
 * hashes of the paths, which left one of two processors half as much again to do as the other.
 */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Seconds of the files that take long, of the processor and of waiting, measured in one run; they count against each other only. */
export const heavyFiles: Record<string, number> = {
  "app/every-endpoint": 8,
  "app/legacy-money": 2,
  "durable/hasher": 3,
  "durable/metering-crash": 4,
  "durable/rate-limiter": 3,
  "features/accounts/deletion": 2,
  "features/accounts/imported": 2,
  "features/accounts/password": 2,
  "features/accounts/sign-in": 2,
  "features/accounts/unproven": 2,
  "features/accounts/users": 3,
  "features/billing/checkout": 3,
  "features/billing/deletion": 2,
  "features/billing/events": 3,
  "features/billing/flow": 2,
  "features/billing/rules": 3,
  "features/chat/chat": 4,
  "features/chat/recordings": 4,
  "features/chat/responses": 2,
  "features/chat/sounds": 4,
  "features/chat/streams": 2,
  "features/conversions/endings": 2,
  "features/conversions/format-1": 2,
  "features/conversions/killed-runs": 2,
  "features/conversions/open": 6,
  "features/conversions/requests": 3,
  "features/conversions/results": 2,
  "features/conversions/seal": 3,
  "features/media/complete": 5,
  "features/media/form-upload": 2,
  "features/media/sweep": 3,
  "features/prompts/completions": 5,
  "features/secrets/master-rotation": 2,
  "features/secrets/rotation": 3,
  "features/sign-in-methods/passkeys": 2,
  "features/staff/people": 2,
  "features/sub-users/grants": 2,
  "features/sub-users/manage": 2,
  "features/tokens/reservations": 2,
  "features/workspaces/members": 2,
  "lib/seal/flips": 2,
  "repo/cli/admin-create": 4,
};

/** What the other files take on average. */
const lightSeconds = 0.3;

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
