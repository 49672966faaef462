/** What clients send and see of workspaces, members and invitations. */
import * as z from "zod";
import { workspaceRoles } from "#core/access";
import { legacyBody } from "#core/legacy-body";
import { logLevels, readLogLevel } from "#core/message-log";
import { pageOf, pageQuery } from "#core/page";
import { planNames } from "#core/plans";
import { type Output, shape } from "#core/shape";
import { auditCategories, severities } from "#core/tables";
import { invitableRoles } from "./rules.ts";
import { workspaceSizes } from "./tables.ts";

const id = () =>
  z.string().max(64).meta({
    description: "`current`: the workspace of X-Workspace-Id, or the caller's own.",
    example: "wks_01kahs7m3n0000000000000000",
  });

export const workspaceParams = shape(() => z.object({ id: id() }));
export const memberParams = shape(() => z.object({ id: id(), userId: z.string().max(64) }));
export const invitationParams = shape(() => z.object({ id: id(), invitationId: z.string().max(64) }));
export const tokenParams = shape(() => z.object({ token: z.string().max(200) }));

const maxSettingsCharacters = 16_000;

const members = () => ({
  name: z.string().trim().min(2).max(100).meta({ example: "Editorial team" }),
  slug: z
    .string()
    .regex(/^[a-z0-9-]{2,50}$/, "2 to 50 of a-z, 0-9 and -")
    .optional()
    .meta({ description: "Unique. Left out: made from the name." }),
  description: z.string().max(500).optional(),
  size: z.enum(workspaceSizes).optional(),
  settings: z
    .record(z.string().max(100), z.unknown())
    .refine((value) => JSON.stringify(value).length <= maxSettingsCharacters, "at most 16,000 characters as JSON")
    .refine(({ messageLog: level }) => level === undefined || readLogLevel(level) !== null, {
      path: ["messageLog"],
      message: `one of ${logLevels.join(", ")}`,
    })
    .optional()
    .meta({
      description:
        "Whatever clients keep for the whole workspace; replaced as a whole. `messageLog` says how much is kept of its model requests: off, metadata (unless said) or contents.",
    }),
});

export const createWorkspaceBody = shape(() => legacyBody(members()).meta({ id: "WorkspaceCreate" }));

export const changeWorkspaceBody = shape(() =>
  legacyBody({ ...members(), name: members().name.optional() })
    .refine((body) => Object.values(body).some((value) => value !== undefined), "at least one member")
    .meta({ id: "WorkspaceChange" }),
);

export const workspaceShape = shape(() =>
  z
    .object({
      id: z.string(),
      name: z.string(),
      slug: z.string().nullable(),
      description: z.string(),
      kind: z.enum(["personal", "team"]),
      size: z.enum(workspaceSizes),
      settings: z.record(z.string(), z.unknown()),
      plan: z.enum(planNames),
      ownerUserId: z.string(),
      role: z.enum(workspaceRoles).nullable().meta({ description: "Of whoever asks; null for sub-users." }),
      createdAt: z.string(),
    })
    .meta({ id: "Workspace" }),
);
export type WorkspaceShape = Output<typeof workspaceShape>;
export const workspacePage = pageOf(workspaceShape, "WorkspacePage");

export const memberShape = shape(() =>
  z
    .object({
      userId: z.string(),
      email: z.string(),
      name: z.string(),
      username: z.string().nullable(),
      role: z.enum(workspaceRoles),
      joinedAt: z.string(),
    })
    .meta({ id: "Member" }),
);
export const memberPage = pageOf(memberShape, "MemberPage");

const email = () => z.string().trim().toLowerCase().max(254).pipe(z.email()).meta({ example: "colleague@example.com" });

export const inviteBody = shape(() =>
  legacyBody({ email: email(), role: z.enum(invitableRoles).default("member") }).meta({ id: "InvitationCreate" }),
);

export const roleBody = shape(() => legacyBody({ role: z.enum(workspaceRoles) }).meta({ id: "MemberRole" }));

export const invitationShape = shape(() =>
  z
    .object({
      id: z.string(),
      kind: z.enum(["member", "sub-user"]),
      email: z.string(),
      role: z.enum(workspaceRoles).nullable(),
      state: z.enum(["pending", "accepted", "expired", "revoked"]),
      invitedBy: z.string(),
      createdAt: z.string(),
      expiresAt: z.string(),
    })
    .meta({ id: "Invitation" }),
);
export const invitationPage = pageOf(invitationShape, "InvitationPage");

export const acceptedShape = shape(() =>
  z.object({ workspace: workspaceShape(), role: z.enum(workspaceRoles) }).meta({ id: "InvitationAccepted" }),
);

export const goneShape = shape(() => z.object({ message: z.string() }).meta({ id: "AvailableUsersGone" }));

export const transferBody = shape(() =>
  z.strictObject({ userId: z.string().max(64) }).meta({ id: "OwnershipTransfer" }),
);

/** With the member names of the older system's document. */
export const statsShape = shape(() =>
  z
    .object({
      total_members: z.number().int(),
      total_api_keys: z.number().int(),
      monthly_tokens_used: z.number().int(),
      monthly_token_limit: z.number().int().nullable(),
      token_usage_percentage: z.number(),
      days_until_reset: z.number().int(),
      recent_activity_count: z.number().int().meta({ description: "Entries of the audit trail in the last 7 days." }),
      storage: z.object({
        used_bytes: z.number().int(),
        reserved_bytes: z.number().int(),
        limit_bytes: z.number().int().nullable(),
      }),
    })
    .meta({ id: "WorkspaceStats" }),
);

export const trailQuery = shape(() =>
  pageQuery().extend({
    action: z.string().max(80).optional().meta({ description: "The whole action, for example member.removed." }),
    actorId: z.string().max(64).optional(),
    target: z.string().max(200).optional(),
    category: z.enum(auditCategories).optional(),
    severity: z.enum(severities).optional(),
    from: z.iso.datetime({ offset: true }).optional(),
    to: z.iso.datetime({ offset: true }).optional(),
  }),
);
export type TrailQuery = Output<typeof trailQuery>;

const values = () => z.record(z.string(), z.unknown());

export const trailEntryShape = shape(() =>
  z
    .object({
      id: z.string(),
      action: z.string(),
      category: z.string(),
      severity: z.string(),
      actorKind: z.string(),
      actorId: z.string().nullable(),
      target: z.string().nullable(),
      details: values(),
      before: values().nullable(),
      after: values().nullable(),
      requestId: z.string(),
      address: z.string().nullable(),
      repeats: z.number().int(),
      createdAt: z.string(),
    })
    .meta({ id: "AuditEntry" }),
);
export const trailPage = pageOf(trailEntryShape, "AuditEntryPage");
