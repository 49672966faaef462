/** The pages behind a mail's unsubscribe link. A link scanner that opens the first one changes nothing. */
import type { Child } from "hono/jsx";
import type { NotificationKind } from "../rules.ts";

const kindWords: Record<NotificationKind, string> = {
  security: "the security of your account",
  quota: "what your workspaces have used",
  billing: "trials and plans",
  workspace: "your workspaces",
  jobs: "background work",
  webhooks: "webhooks",
};

function Page({ title, children }: { title: string; children: Child }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>{title}</title>
      </head>
      <body style="margin:0;padding:48px 24px;font-family:system-ui,Segoe UI,Roboto,Arial,sans-serif;color:#1f2430">
        <main style="max-width:480px;margin:0 auto">
          <h1 style="font-size:22px">{title}</h1>
          {children}
        </main>
      </body>
    </html>
  );
}

export async function askPage({ kind, action }: { kind: NotificationKind; action: string }): Promise<string> {
  const view = (
    <Page title="No more mails of this kind?">
      <p>You will get no more mails about {kindWords[kind]}. You can change this in your preferences.</p>
      <form method="post" action={action}>
        <button type="submit" style="padding:12px 20px;font-size:16px">
          Stop these mails
        </button>
      </form>
    </Page>
  );
  return `<!doctype html>${await view}`;
}

export async function donePage({ kind }: { kind: NotificationKind }): Promise<string> {
  const view = (
    <Page title="Done">
      <p>You get no more mails about {kindWords[kind]}. You can change this in your preferences.</p>
    </Page>
  );
  return `<!doctype html>${await view}`;
}
