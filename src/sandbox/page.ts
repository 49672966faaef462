/** The frame of every stand-in page: it says that it is a sandbox, and lets no script run. */
import { html, raw } from "hono/html";

export type Markup = ReturnType<typeof html>;

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 40rem; padding: 1rem; }
.sandbox { background: #7a4b00; color: #fff; margin: -1rem -1rem 1rem; padding: .5rem 1rem; }
.problem { border-left: .25rem solid #b00020; padding: .25rem .75rem; }
form { margin: 1rem 0; } fieldset { border: 1px solid #8888; border-radius: .5rem; }
button { font: inherit; margin: .25rem .5rem .25rem 0; padding: .4rem 1rem; } label { display: block; }
`;

export function stylesheet(): Response {
  return new Response(style, { headers: { "content-type": "text/css", "cache-control": "max-age=3600" } });
}

interface Page {
  title: string;
  status?: number;
  body: Markup;
  /** Where a form may lead after it was sent: browsers hold redirects to it, too. */
  mayLeadTo?: string[];
}

export async function page({ title, status = 200, body, mayLeadTo = [] }: Page): Promise<Response> {
  const text = await html`${raw("<!doctype html>")}
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} (sandbox)</title>
        <link rel="stylesheet" href="/__sandbox/style.css" />
      </head>
      <body>
        <p class="sandbox"><strong>Sandbox.</strong> This page stands in for Stripe's. No money moves.</p>
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html>`;
  const origins = [...new Set(mayLeadTo.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin))];
  return new Response(text.toString(), {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "content-security-policy": `default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' ${origins.join(" ")}`,
    },
  });
}

/** After a form was sent. */
export function seeOther(url: string): Response {
  return new Response(null, { status: 303, headers: { location: url, "cache-control": "no-store" } });
}
