/** What clients send and get about mailed codes, verification, and changes that a code confirms. */
import * as z from "zod";
import { legacyBody } from "#core/legacy-body";
import { shape } from "#core/shape";
import { agree, email, password, sessionKind } from "./shapes.ts";

const code = shape(() => z.string().trim().max(40).meta({ example: "314159" }));

export const addressBody = shape(() => legacyBody({ email: email() }).meta({ id: "MailedCodeRequest" }));

export const askedShape = shape(() =>
  z
    .object({ message: z.string(), expires_in: z.number().int().meta({ description: "Seconds." }) })
    .meta({ id: "MailedCode", description: "The same whether or not the address has an account." }),
);

export const codeSignInBody = shape(() =>
  legacyBody({ email: email(), code: code(), sessionKind: sessionKind() }).meta({ id: "CodeSignIn" }),
);

/** The password under any of three names; address and code, or the token of the mail's link. */
export const resetBody = shape(() =>
  legacyBody({
    email: email().optional(),
    code: code().optional(),
    token: z
      .string()
      .max(600)
      .optional()
      .meta({ description: "From the link in the mail, instead of address and code." }),
    newPassword: password().optional(),
    new_password: password().optional(),
    password: password().optional(),
  })
    .refine((body) => body.token !== undefined || (body.email !== undefined && body.code !== undefined), {
      path: ["code"],
      message: "email and code, or token, are required",
    })
    .refine((body) => [body.newPassword, body.new_password, body.password].some((given) => given !== undefined), {
      path: ["newPassword"],
      message: "is required",
    })
    .refine(
      (body) =>
        agree(body.newPassword, body.new_password) && agree(body.newPassword ?? body.new_password, body.password),
      { path: ["new_password"], message: "differs from newPassword" },
    )
    .meta({ id: "PasswordReset" }),
);

export const doneShape = shape(() => z.object({ success: z.literal(true), message: z.string() }).meta({ id: "Done" }));

export const otpBody = shape(() =>
  legacyBody({ otp_code: code().optional(), code: code().optional() })
    .refine((body) => (body.otp_code ?? body.code) !== undefined, { path: ["otp_code"], message: "is required" })
    .refine((body) => agree(body.otp_code, body.code), { path: ["code"], message: "differs from otp_code" })
    .meta({ id: "EmailVerification" }),
);

export const sentShape = shape(() =>
  z.object({ success: z.literal(true), message: z.string(), expires_at: z.string() }).meta({ id: "CodeSent" }),
);

export const emailStatusShape = shape(() =>
  z
    .object({
      success: z.literal(true),
      is_verified: z.boolean(),
      email: z.string(),
      verification_enabled: z.boolean(),
      verification_required_for_api: z.boolean(),
    })
    .meta({ id: "EmailStatus" }),
);

export const emailChangeBody = shape(() =>
  legacyBody({
    new_email: email().optional(),
    newEmail: email().optional(),
    current_password: z.string().max(4_096).optional(),
    currentPassword: z.string().max(4_096).optional(),
  })
    .refine((body) => (body.new_email ?? body.newEmail) !== undefined, { path: ["new_email"], message: "is required" })
    .refine((body) => agree(body.new_email, body.newEmail), { path: ["newEmail"], message: "differs from new_email" })
    .refine((body) => (body.current_password ?? body.currentPassword) !== undefined, {
      path: ["current_password"],
      message: "is required",
    })
    .refine((body) => agree(body.current_password, body.currentPassword), {
      path: ["currentPassword"],
      message: "differs from current_password",
    })
    .meta({ id: "EmailChange" }),
);

export const emailConfirmBody = shape(() =>
  z
    .strictObject({
      code: code().optional().meta({
        description: "From the mail to the old address. Left out only where none went there: it was never verified.",
      }),
      newCode: code().meta({ description: "From the mail to the new address." }),
    })
    .meta({ id: "EmailChangeConfirmation" }),
);

export const emailChangedShape = shape(() =>
  z.object({ success: z.literal(true), message: z.string(), email: z.string() }).meta({ id: "EmailChanged" }),
);
