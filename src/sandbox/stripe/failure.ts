/** What the simulated Stripe refuses, in Stripe's own words and statuses. */

type ErrorType = "invalid_request_error" | "card_error" | "idempotency_error" | "api_error" | "rate_limit_error";

interface FailureOptions {
  code?: string;
  param?: string;
  declineCode?: string;
}

/** Thrown anywhere below the API; becomes `{error:{...}}`. */
export class StripeFailure extends Error {
  readonly status: number;
  readonly type: ErrorType;
  readonly options: FailureOptions;

  constructor(status: number, type: ErrorType, options: FailureOptions & { message: string }) {
    super(options.message);
    this.status = status;
    this.type = type;
    this.options = options;
  }

  get body() {
    const { code, param, declineCode } = this.options;
    return {
      error: {
        type: this.type,
        message: this.message,
        ...(code === undefined ? {} : { code }),
        ...(param === undefined ? {} : { param }),
        ...(declineCode === undefined ? {} : { decline_code: declineCode }),
      },
    };
  }
}

export function missing(kind: string, id: string): StripeFailure {
  return new StripeFailure(404, "invalid_request_error", {
    code: "resource_missing",
    param: "id",
    message: `No such ${kind}: '${id.slice(0, 80)}'`,
  });
}

export function invalid(param: string, message: string): StripeFailure {
  return new StripeFailure(400, "invalid_request_error", { code: "parameter_invalid", param, message });
}

export function declined(declineCode: string): StripeFailure {
  return new StripeFailure(402, "card_error", {
    code: "card_declined",
    declineCode,
    message: "Your card was declined.",
  });
}
