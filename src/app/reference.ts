/** The API reference: Scalar from our own assets, with everything switched off that would leave the site. */

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Overtone API reference</title><link rel="icon" href="data:,"></head>
<body><div id="reference"></div><script src="/reference/scalar.js"></script><script src="/reference/init.js"></script></body>
</html>`;

const script = `Scalar.createApiReference("#reference", {
  url: "/openapi.json",
  proxyUrl: "",
  telemetry: false,
  withDefaultFonts: false,
  hideClientButton: true,
  showDeveloperTools: "never",
  agent: { disabled: true },
  mcp: { disabled: true },
});`;

/** Scalar sets inline styles, so styles may be inline; scripts may not, and no other host is reachable. */
const policy =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

export function referencePage(): Response {
  return new Response(page, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy,
      "referrer-policy": "no-referrer",
    },
  });
}

export function referenceScript(): Response {
  return new Response(script, {
    headers: { "content-type": "text/javascript; charset=utf-8", "cache-control": "public, max-age=3600" },
  });
}
