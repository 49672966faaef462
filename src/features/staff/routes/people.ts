/** /v1/admin/users: people as administration sees and changes them. There is no way to act in another person's name. */
import { endpoint } from "#core/endpoint";
import { removePerson } from "../help.ts";
import * as people from "../people.ts";
import {
  deletionQuery,
  peoplePage,
  peopleQuery,
  personChange,
  personParams,
  personShape,
  planBody,
  revokedShape,
} from "../shapes.ts";

export const peopleRoutes = [
  endpoint({
    name: "adminListUsers",
    method: "get",
    path: "/v1/admin/users",
    summary: "All people, newest first",
    access: "staff:read",
    query: peopleQuery,
    returns: peoplePage,
    handle: (ctx, { query }) => people.listPage(ctx, query),
  }),
  endpoint({
    name: "adminGetUser",
    method: "get",
    path: "/v1/admin/users/{id}",
    summary: "One person",
    access: "staff:read",
    params: personParams,
    returns: personShape,
    problems: ["user-not-found"],
    handle: (ctx, { params }) => people.getPerson(ctx, params.id),
  }),
  endpoint({
    name: "adminChangeUser",
    method: "patch",
    path: "/v1/admin/users/{id}",
    summary: "Change a person whose role is below one's own",
    description:
      "Role and password are not changed here, and staff cannot sign in as somebody else. Suspending (`isActive: false`) and a new address end all sessions at once; a new address is unverified.",
    access: "staff:write",
    params: personParams,
    body: personChange,
    returns: personShape,
    problems: ["user-not-found", "staff-rank", "staff-field-not-editable", "email-taken", "no-personal-workspace"],
    handle: (ctx, { params, body }) => people.changePersonByStaff(ctx, params.id, body),
  }),
  endpoint({
    name: "adminDeleteUser",
    method: "delete",
    path: "/v1/admin/users/{id}",
    summary: "End a person's account, with a reason",
    description:
      "By superadmins only. Sessions, keys and personal workspace end as if the owner had done it; an archive keeps id, reason, dates and a keyed hash of the address.",
    access: "staff:own",
    params: personParams,
    query: deletionQuery,
    problems: ["user-not-found", "staff-rank", "sole-owner"],
    handle: (ctx, { params, query }) => removePerson(ctx, params.id, query.reason),
  }),
  endpoint({
    name: "adminRevokeApiKeys",
    method: "post",
    path: "/v1/admin/users/{id}/api-key/regenerate",
    summary: "Revoke a person's API keys, so that the owner makes new ones",
    description:
      "The owner is told and makes the new key: staff never see one. Keys stop at once for operations that check anew, and within ten seconds everywhere.",
    access: "staff:api-keys:write",
    params: personParams,
    returns: revokedShape,
    problems: ["user-not-found", "staff-rank"],
    handle: (ctx, { params }) => people.revokeApiKeys(ctx, params.id),
  }),
  endpoint({
    name: "adminChangePlan",
    method: "post",
    path: "/v1/admin/users/{id}/plan",
    summary: "Give a person's workspace another plan, without a payment",
    access: "staff:write",
    params: personParams,
    body: planBody,
    returns: personShape,
    problems: ["user-not-found", "staff-rank", "no-personal-workspace"],
    handle: (ctx, { params, body }) => people.changePlan(ctx, params.id, body.plan),
  }),
];
