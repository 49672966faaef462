/** Paths of workspaces, organizations and sub-users in systems C and D. */
import type { Alias } from "../legacy-paths.ts";

const organization = { system: "C", answer: "organization" } as const;
const done = { answer: "success" } as const;
const subUser = { system: "C", answer: "subUser" } as const;

const organizations: Alias[] = [
  { system: "C", method: "GET", from: "/organizations", to: "/v1/workspaces?limit=100", answer: "organizations" },
  { ...organization, method: "POST", from: "/organizations", to: "/v1/workspaces" },
  { ...organization, method: "GET", from: "/organization", to: "/v1/workspaces/current" },
  { ...organization, method: "PUT", from: "/organization", to: "/v1/workspaces/current", toMethod: "PATCH" },
  {
    system: "C",
    method: "POST",
    from: "/organizations/invitations/:token/accept",
    to: "/v1/invitations/:token/accept",
    answer: "acceptedInvitation",
  },
  {
    system: "C",
    method: "POST",
    from: "/invitations/:token/accept",
    to: "/v1/invitations/:token/accept",
    answer: "acceptedInvitation",
  },
  { system: "C", ...done, method: "DELETE", from: "/organizations/keys/:keyId", to: "/v1/api-keys/:keyId" },
  { ...organization, method: "GET", from: "/organizations/:id", to: "/v1/workspaces/:id" },
  { ...organization, method: "PUT", from: "/organizations/:id", to: "/v1/workspaces/:id", toMethod: "PATCH" },
  { system: "C", ...done, method: "DELETE", from: "/organizations/:id", to: "/v1/workspaces/:id" },
  { system: "C", method: "GET", from: "/organizations/:id/stats", to: "/v1/workspaces/:id/stats" },
  {
    system: "C",
    method: "GET",
    from: "/organizations/:id/members",
    to: "/v1/workspaces/:id/members?limit=100",
    answer: "organizationMembers",
  },
  {
    system: "C",
    method: "POST",
    from: "/organizations/:id/members/invite",
    to: "/v1/workspaces/:id/invitations",
    answer: "sentInvitation",
  },
  {
    system: "C",
    method: "PUT",
    from: "/organizations/:id/members/:userId",
    to: "/v1/workspaces/:id/members/:userId",
    toMethod: "PATCH",
    answer: "organizationMember",
  },
  {
    system: "C",
    ...done,
    method: "DELETE",
    from: "/organizations/:id/members/:userId",
    to: "/v1/workspaces/:id/members/:userId",
  },
];

const organizationKeys: Alias[] = ["api-keys", "keys"].flatMap((name): Alias[] => [
  {
    system: "C",
    method: "GET",
    from: `/organizations/:id/${name}`,
    to: "/v1/api-keys?workspaceId=:id&limit=100",
    answer: "items",
  },
  { system: "C", method: "POST", from: `/organizations/:id/${name}`, to: "/v1/api-keys?workspaceId=:id" },
  {
    system: "C",
    ...done,
    method: "DELETE",
    from: `/organizations/:id/${name}/:keyId`,
    to: "/v1/api-keys/:keyId?workspaceId=:id",
  },
]);

const reports: Alias[] = ["overview", "activity", "usage-trends", "limits-analysis"].map((name) => ({
  system: "C",
  method: "GET",
  from: `/dashboard/sub-users/${name}`,
  to: `/v1/sub-users/${name}`,
  answer: name === "activity" ? "items" : "snake",
}));

const subUsers: Alias[] = ["/organization/sub-users", "/sub-users"].flatMap((root): Alias[] => [
  { system: "C", method: "GET", from: root, to: "/v1/sub-users?limit=100", answer: "subUsers" },
  { ...subUser, method: "POST", from: root, to: "/v1/sub-users", body: "subUser" },
  { system: "C", method: "POST", from: `${root}/bulk`, to: "/v1/sub-users/bulk", body: "subUserBulk", answer: "snake" },
  { ...subUser, method: "GET", from: `${root}/:id`, to: "/v1/sub-users/:id" },
  { ...subUser, method: "PUT", from: `${root}/:id`, to: "/v1/sub-users/:id", toMethod: "PATCH", body: "subUserChange" },
  { system: "C", ...done, method: "DELETE", from: `${root}/:id`, to: "/v1/sub-users/:id" },
  {
    ...subUser,
    method: "PUT",
    from: `${root}/:id/permissions`,
    to: "/v1/sub-users/:id/permissions",
    toMethod: "PATCH",
    body: "subUserPermissions",
  },
  {
    ...subUser,
    method: "PUT",
    from: `${root}/:id/limits`,
    to: "/v1/sub-users/:id/limits",
    toMethod: "PATCH",
    body: "subUserLimits",
  },
  { system: "C", method: "GET", from: `${root}/:id/usage`, to: "/v1/sub-users/:id/usage", answer: "snake" },
  { system: "C", method: "POST", from: `${root}/:id/api-keys`, to: "/v1/sub-users/:id/api-keys" },
]);

const member = { system: "D", toMethod: "PATCH", answer: "workspaceUser" } as const;
const roleOf = {
  from: "/api/workspaces/:id/users/:userId/role",
  to: "/v1/workspaces/:id/members/:userId",
} as const;

const audioTricks: Alias[] = [
  { system: "D", method: "GET", from: "/api/workspaces", to: "/v1/workspaces?limit=100", answer: "workspaces" },
  { system: "D", method: "PUT", from: "/api/workspaces/:id", to: "/v1/workspaces/:id", toMethod: "PATCH" },
  { system: "D", ...done, method: "DELETE", from: "/api/workspaces/:id", to: "/v1/workspaces/:id" },
  {
    system: "D",
    method: "GET",
    from: "/api/workspaces/:id/users",
    to: "/v1/workspaces/:id/members?limit=100",
    answer: "workspaceUsers",
  },
  { system: "D", method: "POST", from: "/api/workspaces/:id/users", to: "/v1/workspaces/:id/members" },
  { ...member, ...roleOf, method: "PUT" },
  { ...member, ...roleOf, method: "PATCH" },
  {
    system: "D",
    ...done,
    method: "DELETE",
    from: "/api/workspaces/:id/users/:userId",
    to: "/v1/workspaces/:id/members/:userId",
  },
  {
    system: "D",
    method: "GET",
    from: "/api/workspaces/:id/available-users",
    to: "/v1/workspaces/:id/available-users",
  },
  { system: "D", method: "POST", from: "/api/workspaces/:id/invite", to: "/v1/workspaces/:id/invitations" },
];

export const workspaces: Alias[] = [...organizations, ...organizationKeys, ...reports, ...subUsers, ...audioTricks];
