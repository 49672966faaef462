/** What clients send and get about accounts. Member names follow the documents of the older clients (snake case in tokens). */
import * as z from "zod";
import { requiredRoles } from "#core/access";
import { type Output, shape } from "#core/shape";
import { legacyBody } from "#core/legacy-body";

export const email = shape(() =>
  z.string().trim().toLowerCase().max(254).pipe(z.email()).meta({ example: "ada@example.com" }),
);

/** At least 8 characters and at most 1,024 bytes: a longer one would only cost hashing time. */
export const password = shape(() =>
  z
    .string()
    .refine((text) => Array.from(text).length >= 8, "at least 8 characters")
    .refine((text) => new TextEncoder().encode(text).byteLength <= 1_024, "at most 1024 bytes")
    .meta({ example: "correct horse battery staple" }),
);

const username = shape(() => z.string().regex(/^[A-Za-z0-9_-]{3,30}$/, "3 to 30 letters, digits, _ or -"));
const name = shape(() => z.string().trim().min(1).max(100));
export const sessionKind = shape(() =>
  z.enum(["access-token", "opaque", "session-token"]).default("access-token").meta({
    description:
      "`opaque`: one session token of 7 sliding days instead of an access and a refresh token; `session-token`: one of a day, with a refresh token.",
  }),
);

/** Two names of one member: either may be sent, and both when they say the same. */
export function agree(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}

export const registerBody = shape(() =>
  legacyBody({
    email: email(),
    password: password(),
    name: name().optional(),
    username: username().optional(),
    first_name: z.string().trim().max(50).optional(),
    last_name: z.string().trim().max(50).optional(),
    signIn: z.boolean().default(false).meta({ description: "Answer with a session as well." }),
    sessionKind: sessionKind(),
  }).meta({ id: "Register" }),
);

/** The second half of a sign-in that was answered `second-factor-required`. */
const secondFactorMembers = () => ({
  ticket: z.string().max(3_000).optional().meta({
    description:
      "From a `second-factor-required` answer; then totp_code or recovery_code instead of address and password.",
  }),
  totp_code: z.string().max(10).optional(),
  recovery_code: z.string().max(40).optional(),
});

export const loginBody = shape(() =>
  legacyBody({
    email: z
      .string()
      .trim()
      .max(254)
      .optional()
      .meta({ description: "E-mail address or user name.", example: "ada@example.com" }),
    username: z.string().trim().max(254).optional(),
    password: z.string().max(4_096).optional().meta({ example: "correct horse battery staple" }),
    ...secondFactorMembers(),
    sessionKind: sessionKind(),
    requiredRole: z
      .enum(requiredRoles)
      .optional()
      .meta({ description: "For pages of staff: an account without the role is refused." }),
  })
    .refine((body) => body.ticket !== undefined || (body.email ?? body.username ?? "") !== "", {
      path: ["email"],
      message: "e-mail address or user name is required",
    })
    .refine((body) => body.ticket !== undefined || body.password !== undefined, {
      path: ["password"],
      message: "password is required",
    })
    .refine(
      (body) => body.ticket === undefined || (body.totp_code === undefined) !== (body.recovery_code === undefined),
      { path: ["totp_code"], message: "with a ticket, one of totp_code and recovery_code is required" },
    )
    .meta({ id: "Login" }),
);

export const refreshBody = shape(() =>
  legacyBody({
    // Longer than any of ours: an access token sent here by mistake is told that it is no refresh token.
    refresh_token: z.string().max(4_096).optional(),
    refreshToken: z.string().max(4_096).optional(),
  })
    .refine((body) => agree(body.refresh_token, body.refreshToken), {
      path: ["refreshToken"],
      message: "differs from refresh_token",
    })
    .meta({ id: "Refresh" }),
);

export const changePasswordBody = shape(() =>
  legacyBody({
    currentPassword: z.string().max(4_096),
    newPassword: password(),
    endAllSessions: z.boolean().optional().meta({ description: "End the session that asks, too." }),
  }).meta({ id: "ChangePassword" }),
);

export const profileBody = shape(() =>
  legacyBody({
    name: name().optional(),
    username: username().nullable().optional(),
    displayName: name().optional(),
  })
    .refine((body) => agree(body.name, body.displayName), { path: ["displayName"], message: "differs from name" })
    .meta({ id: "ProfileChange" }),
);

export const userShape = shape(() =>
  z
    .object({
      id: z.string(),
      email: z.string(),
      username: z.string().nullable(),
      name: z.string(),
      first_name: z.string(),
      last_name: z.string(),
      role: z.string(),
      subscription_tier: z.string(),
      email_verified: z.boolean(),
      createdAt: z.string(),
      lastLoginAt: z.string().nullable(),
    })
    .meta({ id: "User" }),
);

const tokenMembers = () => ({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal("bearer"),
  expires_in: z.number().int().meta({ description: "Seconds." }),
});

const opaqueMembers = () => ({
  token: z.string(),
  expires_at: z.string(),
  session_token: z.string(),
  refresh_expires_at: z.string(),
});

export const tokenShape = shape(() =>
  z
    .object({ ...tokenMembers(), ...opaqueMembers() })
    .partial()
    .meta({
      id: "Token",
      description:
        "access_token, refresh_token, token_type and expires_in; or token and expires_at when an opaque session was asked for; or session_token, refresh_token, expires_at and refresh_expires_at for a session that began at /v1/users/login.",
    }),
);

export const registeredShape = shape(() =>
  z
    .object({
      message: z.string(),
      user: userShape(),
      workspace: z.object({ id: z.string(), name: z.string() }),
      session: tokenShape().nullable(),
    })
    .meta({ id: "Registered" }),
);

export const signedInShape = shape(() => tokenShape().extend({ user: userShape() }).meta({ id: "SignedIn" }));

/** The person's model tokens of the month, beside who it is. */
const meMembers = () => ({
  tokens_remaining: z.number().int().nullable().meta({ description: "null: no limit." }),
  tokens_used: z.number().int(),
  monthly_limit: z.number().int().nullable(),
});

export const meShape = shape(() =>
  userShape()
    .extend({
      ...meMembers(),
      user: userShape().extend(meMembers()),
      workspace: z.object({ id: z.string(), role: z.string().nullable(), plan: z.string() }),
    })
    .meta({ id: "Me" }),
);
/** Older clients name themselves. */
export const ownQuery = shape(() => z.object({ userId: z.string().max(64).optional() }));

export const messageShape = shape(() => z.object({ message: z.string() }).meta({ id: "Message" }));
export const jwksShape = shape(() =>
  z.object({ keys: z.array(z.record(z.string(), z.string())) }).meta({ id: "JsonWebKeySet" }),
);

export type UserShape = Output<typeof userShape>;
export type TokenShape = Output<typeof tokenShape>;
