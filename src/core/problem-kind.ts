/** What a problem code means: its status, its title, and what the caller can do about it. */
export interface ProblemKind {
  status:
    | 400
    | 401
    | 402
    | 403
    | 404
    | 405
    | 409
    | 410
    | 411
    | 412
    | 413
    | 415
    | 416
    | 422
    | 423
    | 429
    | 500
    | 502
    | 503
    | 504;
  title: string;
  suggestion: string;
}
