/** What clients of systems B and C send and get about accounts, by their names. */
import * as z from "zod";
import { legacyBody } from "#core/legacy-body";
import { shape } from "#core/shape";
import { notificationPreferencesShape } from "#features/notifications/shapes";
import { agree, email, password, tokenShape, userShape } from "./shapes.ts";

const oldPassword = () => z.string().max(4_096);
const aboutMe = () => z.string().max(1_000);
const hobbies = () => z.string().max(500);
const fullName = () => z.string().trim().min(2).max(100);

export const fullRegisterBody = shape(() =>
  legacyBody({
    username: z
      .string()
      .regex(/^[A-Za-z0-9_-]{3,50}$/, "3 to 50 letters, digits, _ or -")
      .meta({ example: "ada_l" }),
    name: fullName().meta({ example: "Ada Lovelace" }),
    email: email(),
    password: password(),
    user_type: z.enum(["Personal", "Business"]).default("Personal"),
    about_me: aboutMe().default(""),
    hobbies: hobbies().default(""),
  }).meta({ id: "UserRegister" }),
);

export const fullRegisteredShape = shape(() =>
  z
    .object({
      success: z.literal(true),
      message: z.string(),
      user_id: z.string(),
      username: z.string(),
      email: z.string(),
      api_key: z.string().nullable().meta({ description: "Shown once; null while the address has to be verified." }),
      verification_required: z.boolean(),
    })
    .meta({ id: "UserRegistered" }),
);

export const userLoginShape = shape(() =>
  z
    .object({
      success: z.literal(true),
      message: z.string(),
      user: z.object({
        id: z.string(),
        username: z.string().nullable(),
        name: z.string(),
        email: z.string(),
        user_type: z.string(),
        subscription_plan: z.string(),
        is_verified: z.boolean(),
      }),
      session: z.object({
        session_token: z.string(),
        refresh_token: z.string(),
        expires_at: z.string(),
        refresh_expires_at: z.string(),
      }),
    })
    .meta({ id: "UserSession" }),
);

const counted = () => z.number().int().nullable().meta({ description: "null: no limit." });

const fullProfileMembers = () => ({
  success: z.literal(true),
  id: z.string(),
  username: z.string().nullable(),
  name: z.string(),
  email: z.string(),
  about_me: z.string(),
  hobbies: z.string(),
  user_type: z.string(),
  is_verified: z.boolean(),
  is_active: z.boolean(),
  time_created: z.string(),
  last_login: z.string().nullable(),
  subscription_plan: z.string(),
  credits: z
    .object({ main: counted(), reset: counted() })
    .meta({ description: "Left now, with what was granted on top, and what each day brings." }),
  limits: z.object({ conversation_limit: counted(), reset: counted() }),
  access_rtype: z.array(z.string()),
  level: z.string(),
});

export const fullProfileShape = shape(() => z.object(fullProfileMembers()).meta({ id: "UserProfile" }));
export const fullProfileChangedShape = shape(() =>
  z.object({ ...fullProfileMembers(), message: z.string() }).meta({ id: "UserProfileChanged" }),
);

export const fullProfileBody = shape(() =>
  legacyBody({
    name: fullName().optional(),
    about_me: aboutMe().optional(),
    hobbies: hobbies().optional(),
  }).meta({ id: "UserProfileChange" }),
);

export const defaultKeyShape = shape(() =>
  z
    .object({
      success: z.literal(true),
      message: z.string(),
      api_key: z.string().nullable().meta({ description: "Only in the answer that made it." }),
      api_key_prefix: z.string(),
    })
    .meta({ id: "UserApiKey" }),
);

export const userPasswordBody = shape(() =>
  legacyBody({
    current_password: oldPassword().optional(),
    currentPassword: oldPassword().optional(),
    new_password: password().optional(),
    newPassword: password().optional(),
  })
    .refine((body) => (body.current_password ?? body.currentPassword) !== undefined, {
      path: ["current_password"],
      message: "is required",
    })
    .refine((body) => (body.new_password ?? body.newPassword) !== undefined, {
      path: ["new_password"],
      message: "is required",
    })
    .refine(
      (body) => agree(body.current_password, body.currentPassword) && agree(body.new_password, body.newPassword),
      { path: ["newPassword"], message: "two different values for one member" },
    )
    .meta({ id: "UserPasswordChange" }),
);

export const deleteAccountBody = shape(() =>
  legacyBody({
    password: oldPassword(),
    reason: z.string().trim().max(500).default(""),
  }).meta({ id: "AccountDeletion" }),
);

export const extensionLoginShape = shape(() =>
  tokenShape()
    .extend({
      user: userShape().extend({
        monthly_usage: z.object({ api_calls: z.number().int(), tokens_used: z.number().int() }),
      }),
      a4f_api_key: z.string().nullable().meta({
        description:
          "A key of this session for the gateway at api_endpoint: it may use models and ends with the session. Null until the address is verified.",
      }),
      api_endpoint: z.string(),
    })
    .meta({ id: "ExtensionSignedIn" }),
);

export const extensionConfigShape = shape(() =>
  z
    .object({
      config: z.object({
        a4f_api_key: z.string().nullable(),
        api_endpoint: z.string(),
        providers: z.object({
          a4f: z.object({
            enabled: z.boolean(),
            base_url: z.string(),
            models: z.array(z.string()),
            priority: z.number().int(),
          }),
        }),
        model_routing: z.object({ popular_models_to_a4f: z.boolean(), default_provider: z.string() }),
      }),
    })
    .meta({ id: "ExtensionConfig" }),
);

const preferenceMembers = () => ({
  theme: z.enum(["light", "dark", "system"]),
  language: z.string().regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/, "a language tag such as en or pt-BR"),
  notifications: notificationPreferencesShape(),
  auto_completion: z.boolean(),
  model_preference: z.string().max(200),
  max_tokens: z.number().int().min(1).max(1_000_000),
});

export const preferencesBody = shape(() =>
  z.strictObject(preferenceMembers()).partial().meta({ id: "PreferencesChange" }),
);
export const preferencesShape = shape(() => z.object(preferenceMembers()).meta({ id: "Preferences" }));
