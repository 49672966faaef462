/** /v1/notifications, the way out of mails that nobody must read, and what staff see of mails. */
import { endpoint, rawEndpoint } from "#core/endpoint";
import * as service from "./service.ts";
import {
  notificationListQuery,
  notificationPage,
  notificationParams,
  outboxPage,
  outboxQuery,
  readAnswer,
  unsubscribeQuery,
} from "./shapes.ts";

const unsubscribePath = "/v1/notifications/unsubscribe";

export const routes = [
  endpoint({
    name: "listNotifications",
    method: "get",
    path: "/v1/notifications",
    summary: "Your notifications, newest first",
    description:
      "Of all your workspaces. Which kinds you get, you say in `notifications` of PUT /v1/users/preferences.",
    access: "session",
    query: notificationListQuery,
    returns: notificationPage,
    problems: ["invalid-cursor"],
    handle: (ctx, { query }) => service.listNotificationPage(ctx, query),
  }),
  endpoint({
    name: "readNotification",
    method: "post",
    path: "/v1/notifications/{id}/read",
    summary: "Mark a notification, or all of them, as read",
    access: "session",
    params: notificationParams,
    returns: readAnswer,
    problems: ["notification-not-found"],
    handle: (ctx, { params }) => service.readNotification(ctx, params.id),
  }),
  rawEndpoint({
    name: "showUnsubscribe",
    method: "get",
    path: unsubscribePath,
    summary: "The page behind a mail's unsubscribe link; it changes nothing until its button is pressed",
    access: "public",
    limit: "open",
    query: unsubscribeQuery,
    produces: { "text/html": "A page with one button." },
    problems: ["unsubscribe-link-invalid"],
    async handle(ctx, { query }) {
      const { kind } = service.readUnsubscribe(ctx, query.token);
      const { askPage } = await import("./templates/unsubscribe-page.tsx");
      return page(await askPage({ kind, action: `${unsubscribePath}?token=${query.token}` }));
    },
  }),
  rawEndpoint({
    name: "unsubscribe",
    method: "post",
    path: unsubscribePath,
    summary: "No more mails of this kind (RFC 8058: mail programs call it with no sign-in)",
    access: "public",
    limit: "open",
    query: unsubscribeQuery,
    produces: { "text/html": "A page that says so." },
    problems: ["unsubscribe-link-invalid"],
    async handle(ctx, { query }) {
      const kind = await service.unsubscribe(ctx, query.token);
      const { donePage } = await import("./templates/unsubscribe-page.tsx");
      return page(await donePage({ kind }));
    },
  }),
  endpoint({
    name: "listOutbox",
    method: "get",
    path: "/v1/admin/outbox",
    summary: "What was mailed, newest first",
    description:
      "What a mail says is shown only with MAIL_TRANSPORT=outbox, and of mails to staff to superadmins alone.",
    access: "staff:read",
    query: outboxQuery,
    returns: outboxPage,
    problems: ["invalid-cursor"],
    handle: (ctx, { query }) => service.listOutboxPage(ctx, query),
  }),
];

/** Nothing from elsewhere, in no frame, and the token in no Referer. */
function page(html: string): Response {
  return new Response(html, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-robots-tag": "noindex",
      "content-security-policy":
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    },
  });
}
