/** The one look of all mails. JSX escapes every value; nothing is fetched from anywhere when a mail is opened. */
import type { Block } from "./blocks.ts";

const text = "margin:0 0 16px;font-size:16px;line-height:24px;color:#1f2430";
const small = "margin:0 0 8px;font-size:13px;line-height:20px;color:#5b6270";
const digits =
  "margin:0 0 16px;padding:16px;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:28px;letter-spacing:6px;text-align:center;background:#f1f3f7;border-radius:8px;color:#1f2430";
const button =
  "display:inline-block;padding:12px 20px;font-size:16px;background:#2f4bd8;color:#ffffff;border-radius:8px;text-decoration:none";

function BlockView({ block }: { block: Block }) {
  switch (block.kind) {
    case "paragraph":
      return <p style={text}>{block.words}</p>;
    case "code":
      return <p style={digits}>{block.code}</p>;
    case "link":
      return (
        <p style={text}>
          <a href={block.link} style={button}>
            {block.label}
          </a>
        </p>
      );
    case "facts":
      return (
        <table role="presentation" style="margin:0 0 16px">
          {block.facts.map(([name, value]) => (
            <tr>
              <td style={`${small};padding-right:16px`}>{name}</td>
              <td style={text}>{value}</td>
            </tr>
          ))}
        </table>
      );
  }
}

interface LayoutProps {
  subject: string;
  blocks: readonly Block[];
  site: string;
  /** Null for mails that a person cannot do without. */
  unsubscribe: string | null;
}

export function Layout({ subject, blocks, site, unsubscribe }: LayoutProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>{subject}</title>
      </head>
      <body style="margin:0;padding:24px;background:#ffffff;font-family:system-ui,Segoe UI,Roboto,Arial,sans-serif">
        <div style="max-width:560px;margin:0 auto">
          <h1 style="margin:0 0 16px;font-size:20px;line-height:28px;color:#1f2430">{subject}</h1>
          {blocks.map((block) => (
            <BlockView block={block} />
          ))}
          <hr style="margin:24px 0 16px;border:0;border-top:1px solid #d9dde5" />
          <p style={small}>
            Sent by Overtone at{" "}
            <a href={site} style="color:#5b6270">
              {site}
            </a>
            .
          </p>
          {unsubscribe === null ? null : (
            <p style={small}>
              <a href={unsubscribe} style="color:#5b6270">
                No more mails of this kind
              </a>
            </p>
          )}
        </div>
      </body>
    </html>
  );
}
