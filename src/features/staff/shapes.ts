/** What administration and support send and see. Bodies are strict: a member that is not listed is refused, whoever sends it. */
import * as z from "zod";
import { globalRoles, staffPermissionNames, supportLevels } from "#core/access";
import { pageQuery } from "#core/page";
import { planNames } from "#core/plans";
import { type Output, shape } from "#core/shape";
import { promptStyles } from "./default-prompts.ts";
import { editableFields } from "./rules.ts";

export const personParams = shape(() => z.object({ id: z.string().min(1).max(64) }));

export const email = shape(() =>
  z.string().trim().toLowerCase().max(254).pipe(z.email()).meta({ example: "ada@example.com" }),
);
export const name = shape(() => z.string().trim().min(1).max(100).meta({ example: "Ada Lovelace" }));
const truth = shape(() => z.enum(["true", "false"]).transform((text) => text === "true"));
const userType = shape(() => z.enum(["Personal", "Business"]));

/** `page` and the names with `_` are those of older clients. */
export const peopleQuery = shape(() =>
  pageQuery().extend({
    search: z.string().trim().min(1).max(100).optional().meta({ description: "Part of name, address or user name." }),
    role: z.enum(globalRoles).optional(),
    userType: userType().optional(),
    isActive: truth().optional(),
    isVerified: truth().optional(),
    page: z.coerce.number().int().min(1).max(10_000).optional(),
    page_size: z.coerce.number().int().min(1).max(100).optional(),
    user_type: userType().optional(),
    is_active: truth().optional(),
    is_verified: truth().optional(),
  }),
);
export type PeopleQuery = Output<typeof peopleQuery>;

/** Members that the asking level does not see are left out. */
export const personShape = shape(() =>
  z
    .object({
      id: z.string(),
      email: z.string(),
      username: z.string().nullable(),
      name: z.string(),
      role: z.enum(globalRoles),
      userType: userType(),
      plan: z.enum(planNames).nullable().meta({ description: "Of the personal workspace; null for a sub-user." }),
      isActive: z.boolean(),
      isVerified: z.boolean(),
      workspaceId: z.string().nullable(),
      createdAt: z.string(),
      lastLoginAt: z.string().nullable(),
      limits: z.record(z.string(), z.unknown()).optional().meta({ description: "What overrides the plan's limits." }),
      creditsPerDay: z.number().int().nullable().optional().meta({ description: "null: no limit." }),
      creditsLeft: z.number().int().nullable().optional().meta({
        description: "What may be used now, with what was granted on top; null: no limit. Not in lists.",
      }),
      promptLevel: z.enum(["low", "medium", "high", "ultra"]).optional(),
      promptStyles: z.array(z.string()).optional(),
      aboutMe: z.string().optional(),
      hobbies: z.string().optional(),
      notes: z.string().optional(),
      supportLevel: z.enum(supportLevels).nullable().optional(),
      parentWorkspaceId: z.string().nullable().optional(),
    })
    .meta({ id: "StaffPerson" }),
);

export const peoplePage = shape(() =>
  z
    .object({
      items: z.array(personShape()),
      nextCursor: z.string().nullable(),
      total: z.number().int(),
      page: z.number().int(),
      pageSize: z.number().int(),
    })
    .meta({ id: "StaffPersonPage" }),
);

/** A figure takes the place of the plan's; null gives it back to the plan. */
const limits = shape(() =>
  z
    .strictObject({
      creditsPerDay: z.number().int().min(0).max(1_000_000).nullable(),
      conversionsPerHour: z.number().int().min(0).max(1_000_000).nullable(),
      apiKeyRequestsPerMinute: z.number().int().min(1).max(1_000_000).nullable(),
      chatRequestsPerMinute: z.number().int().min(1).max(1_000_000).nullable(),
      batchRequestsPerMinute: z.number().int().min(1).max(1_000_000).nullable(),
    })
    .partial(),
);

export const personChange = shape(() =>
  z
    .strictObject({
      email: email(),
      name: name(),
      userType: userType(),
      plan: z.enum(planNames),
      limits: limits(),
      creditsLeft: z.number().int().min(0).max(1_000_000).meta({
        description: "What may be used from now on today; what is more than the day brings stays until it is used.",
      }),
      promptStyles: z.array(z.enum(promptStyles)).max(promptStyles.length),
      promptLevel: z.enum(["low", "medium", "high", "ultra"]),
      aboutMe: z.string().max(1_000),
      hobbies: z.string().max(500),
      notes: z.string().max(5_000),
      isActive: z.boolean(),
      isVerified: z.boolean(),
    })
    .partial()
    .refine((body) => Object.keys(body).length > 0, "at least one member")
    .meta({ id: "StaffPersonChange" }),
);
export type PersonChange = Output<typeof personChange>;

export const planBody = shape(() => z.strictObject({ plan: z.enum(planNames) }).meta({ id: "StaffPlan" }));

const staffMembers = () => ({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  username: z.string().nullable(),
  role: z.enum(globalRoles),
  level: z.enum(supportLevels).nullable(),
  isActive: z.boolean(),
  permissions: z.array(z.enum(staffPermissionNames)),
  createdAt: z.string(),
  lastLoginAt: z.string().nullable(),
});

export const staffMemberShape = shape(() => z.object(staffMembers()).meta({ id: "StaffMember" }));
export const staffMemberPage = shape(() =>
  z.object({ items: z.array(staffMemberShape()), nextCursor: z.string().nullable() }).meta({ id: "StaffMemberPage" }),
);

const password = shape(() =>
  z
    .string()
    .refine((text) => Array.from(text).length >= 8, "at least 8 characters")
    .refine((text) => new TextEncoder().encode(text).byteLength <= 1_024, "at most 1024 bytes")
    .meta({ example: "correct horse battery staple" }),
);

const newMember = () => ({
  email: email(),
  name: name().optional(),
  username: z
    .string()
    .regex(/^[A-Za-z0-9_-]{3,50}$/, "3 to 50 letters, digits, _ or -")
    .optional(),
  password: password().optional().meta({
    description: "For an address that has no account yet, and only then: nobody sets the password of another account.",
    example: "correct horse battery staple",
  }),
});

export const newAdminBody = shape(() =>
  z
    .strictObject({ ...newMember(), role: z.enum(["admin", "superadmin"]).default("admin") })
    .meta({ id: "AdminCreate" }),
);
export type NewAdmin = Output<typeof newAdminBody>;

export const adminChange = shape(() =>
  z
    .strictObject({ role: z.enum(["user", "admin", "superadmin"]), isActive: z.boolean(), name: name() })
    .partial()
    .refine((body) => Object.keys(body).length > 0, "at least one member")
    .meta({ id: "AdminChange" }),
);
export type AdminChange = Output<typeof adminChange>;

export const newSupportBody = shape(() =>
  z.strictObject({ ...newMember(), level: z.enum(supportLevels).default("new") }).meta({ id: "SupportStaffCreate" }),
);
export type NewSupport = Output<typeof newSupportBody>;

export const supportChange = shape(() =>
  z
    .strictObject({ level: z.enum(supportLevels), isActive: z.boolean(), name: name() })
    .partial()
    .refine((body) => Object.keys(body).length > 0, "at least one member")
    .meta({ id: "SupportStaffChange" }),
);
export type SupportChange = Output<typeof supportChange>;

export const permissionsShape = shape(() =>
  z
    .object({
      role: z.enum(globalRoles),
      level: z.enum(supportLevels),
      permissions: z.array(z.enum(staffPermissionNames)),
      viewableFields: z.array(z.string()),
      editableFields: z.array(z.enum(editableFields)),
      never: z.array(z.string()).meta({ description: "What no level of support may do." }),
    })
    .meta({ id: "SupportPermissions" }),
);

export const messageShape = shape(() => z.object({ message: z.string() }).meta({ id: "StaffMessage" }));

export const deletionQuery = shape(() =>
  z.object({
    reason: z.string().trim().min(3).max(500).meta({ description: "Kept in the archive.", example: "Asked by letter" }),
  }),
);

export const creditsBody = shape(() =>
  z
    .strictObject({
      credits: z
        .number()
        .int()
        .min(-100_000)
        .max(100_000)
        .refine((credits) => credits !== 0, "not 0")
        .meta({ description: "On top of the daily ones; a negative number takes back what is left.", example: 50 }),
      reason: z.string().trim().max(500).default(""),
    })
    .meta({ id: "CreditsChange" }),
);
export const creditsShape = shape(() =>
  z
    .object({
      workspaceId: z.string(),
      granted: z.number().int(),
      left: z.number().int().meta({ description: "What is left of all that was granted." }),
    })
    .meta({ id: "CreditsChanged" }),
);

export const revokedShape = shape(() =>
  z.object({ message: z.string(), revoked: z.number().int() }).meta({ id: "ApiKeysRevoked" }),
);

export const promptParams = shape(() => z.object({ rType: z.string().max(20).meta({ example: "bpe" }) }));
export const promptQuery = shape(() =>
  z.object({ rType: z.enum(promptStyles).optional().meta({ description: "With the older versions of this one." }) }),
);
export const promptBody = shape(() =>
  z
    .strictObject({ prompt: z.string().trim().min(1).max(20_000).meta({ example: "Answer in steps." }) })
    .meta({ id: "SystemPromptChange" }),
);
const promptMembers = () => ({
  rType: z.enum(promptStyles),
  name: z.string(),
  prompt: z.string(),
  version: z.number().int().meta({ description: "0: the text that the product comes with." }),
  changedBy: z.string().nullable(),
  changedAt: z.string().nullable(),
});
export const promptShape = shape(() => z.object(promptMembers()).meta({ id: "SystemPrompt" }));
export const promptList = shape(() =>
  z.object({ items: z.array(promptShape()), history: z.array(promptShape()) }).meta({ id: "SystemPromptList" }),
);
