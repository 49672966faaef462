/** Asking somebody to become a sub-user, and accepting. */
import * as z from "zod";
import { endpoint } from "#core/endpoint";
import { shape } from "#core/shape";
import { invitationShape } from "#features/workspaces/shapes";
import { acceptInvitation, inviteSubUser } from "../invitations.ts";
import { acceptBody, inviteSubUserBody, tokenParams } from "../shapes.ts";

const acceptedShape = shape(() =>
  z
    .object({
      message: z.string(),
      user: z.object({ id: z.string(), email: z.string(), name: z.string() }),
      workspaceId: z.string(),
    })
    .meta({ id: "SubUserInvitationAccepted" }),
);

export const invitationRoutes = [
  endpoint({
    name: "inviteSubUser",
    method: "post",
    path: "/v1/sub-users/invitations",
    summary: "Ask somebody by mail to become a sub-user",
    description:
      "The link lasts 72 hours unless said otherwise (1 to 168). A sub-user who may invite hands on no more than it has. Withdraw by DELETE /v1/workspaces/{id}/invitations/{invitationId}.",
    access: "sub-users:invite",
    idempotent: true,
    body: inviteSubUserBody,
    returns: invitationShape,
    status: 201,
    problems: ["email-taken", "already-member", "invitation-limit-reached", "grant-too-wide"],
    handle: (ctx, { body }) => inviteSubUser(ctx, body),
  }),
  endpoint({
    name: "acceptSubUserInvitation",
    method: "post",
    path: "/v1/sub-users/invitations/{token}/accept",
    summary: "Become a sub-user: make the account that the mailed token is for",
    access: "public",
    limit: "register",
    params: tokenParams,
    body: acceptBody,
    returns: acceptedShape,
    status: 201,
    problems: [
      "invitation-not-found",
      "invitation-expired",
      "invitation-used",
      "invitation-revoked",
      "email-taken",
      "password-too-common",
      "sub-user-limit-reached",
      "hashing-busy",
      "server-owned-member",
    ],
    handle: (ctx, { params, body }) => acceptInvitation(ctx, params.token, body),
  }),
];
