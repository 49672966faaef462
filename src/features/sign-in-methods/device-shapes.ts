/** Bodies and answers of device authorization, in the words of RFC 8628. */
import * as z from "zod";
import { shape } from "#core/shape";
import { tokenShape } from "#features/accounts/shapes";

/** Unknown parameters are ignored, as RFC 6749 section 3.2 asks for. */
export const deviceCodeBody = shape(() =>
  z
    .object({
      client_id: z.string().max(100).default("").meta({ description: "A name that the person is shown." }),
      scope: z.string().max(1_000).optional(),
    })
    .meta({ id: "DeviceCodeRequest" }),
);

export const deviceCodeShape = shape(() =>
  z
    .object({
      device_code: z.string(),
      user_code: z.string(),
      verification_uri: z.string(),
      verification_uri_complete: z.string(),
      expires_in: z.number().int(),
      interval: z.number().int(),
    })
    .meta({ id: "DeviceCode" }),
);

export const deviceTokenBody = shape(() =>
  z
    .object({
      grant_type: z.string().max(100).optional(),
      device_code: z.string().max(200).optional(),
      client_id: z.string().max(100).optional(),
    })
    .meta({ id: "DeviceTokenRequest" }),
);

export const deviceTokenShape = shape(() =>
  tokenShape()
    .extend({ error: z.string().optional(), error_description: z.string().optional() })
    .meta({ id: "DeviceToken", description: "Tokens; or, with status 400, an error of RFC 8628 section 3.5." }),
);

export const deviceDecisionBody = shape(() =>
  z
    .strictObject({ user_code: z.string().min(8).max(20).meta({ example: "BCDF-GHJK" }), approve: z.boolean() })
    .meta({ id: "DeviceDecision" }),
);

export const deviceDecidedShape = shape(() =>
  z
    .object({
      status: z.enum(["approved", "denied"]),
      client_name: z.string(),
      address: z.string(),
      requested_at: z.string(),
    })
    .meta({ id: "DeviceDecided" }),
);
