/** /v1/upload-tickets: what an app's server or signed-in page asks for, so that Uppy can upload by a URL alone. */
import { endpoint } from "#core/endpoint";
import * as service from "../service.ts";
import { ticketBody, ticketShape } from "../shapes.ts";

export const ticketRoutes = [
  endpoint({
    name: "createUploadTicket",
    method: "post",
    path: "/v1/upload-tickets",
    summary: "A ticket with which Uppy uploads by URL alone",
    description:
      "The ticket is a bearer secret for the workspace, the sizes, the number of files and the types that it names. It ends at expiresAt, or when its person may not upload there any more.",
    access: "files:write",
    body: ticketBody,
    bodyOptional: true,
    returns: ticketShape,
    status: 201,
    problems: ["file-type-unsupported", "workspace-not-found"],
    handle: (ctx, { body }) => service.issueTicket(ctx, body),
  }),
];
