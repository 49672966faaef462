/** What older clients expect of an error, beside the problem's own members. */
type Json = Record<string, unknown>;

export function legacyProblem(problem: Json, nowMs: number): Json {
  const { details } = problem;
  return {
    ...problem,
    success: false,
    timestamp: new Date(nowMs).toISOString(),
    details: { ...(typeof details === "object" ? details : {}), request_id: problem["requestId"] },
  };
}
