/** Bodies and answers about authenticator apps. */
import * as z from "zod";
import { shape } from "#core/shape";

const totpCode = shape(() =>
  z
    .string()
    .regex(/^\d{6}$/, "6 digits")
    .meta({ example: "123456" }),
);

export const totpOfferShape = shape(() =>
  z
    .object({
      secret: z.string().meta({ description: "Base32, for typing it in." }),
      otpauthUrl: z.string(),
      qrCode: z.string().meta({ description: "An SVG as a data URL." }),
    })
    .meta({ id: "TotpOffer" }),
);

export const totpVerifyBody = shape(() => z.strictObject({ code: totpCode() }).meta({ id: "TotpVerify" }));

export const totpStateShape = shape(() =>
  z.object({ active: z.boolean(), recoveryCodesLeft: z.number().int() }).meta({ id: "TotpState" }),
);

export const totpProofBody = shape(() =>
  z
    .strictObject({
      password: z.string().max(4_096).optional(),
      code: totpCode().optional(),
      recoveryCode: z.string().max(40).optional(),
    })
    .refine((body) => Object.values(body).filter((value) => value !== undefined).length === 1, {
      message: "exactly one of password, code and recoveryCode",
    })
    .meta({ id: "TotpProof", example: { code: "123456" } }),
);

export const recoveryCodesShape = shape(() =>
  z.object({ recoveryCodes: z.array(z.string()).meta({ description: "Shown once." }) }).meta({ id: "RecoveryCodes" }),
);
