/** Debian's Chromium, kept from talking to anybody but loopback. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const candidates = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const flags = [
  "--headless=new",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where the browser is: `CHROMIUM`, else the usual places; null when it is not installed. */
export function findChromium(): string | null {
  const wanted = process.env["CHROMIUM"];
  return [...(wanted ? [wanted] : []), ...candidates].find((path) => existsSync(path)) ?? null;
}

export function launchChromium(executablePath: string): Promise<Browser> {
  // The sandbox of Chromium refuses to run as root, which is who runs in a container.
  const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath, args: [...flags, ...sandbox] });
}
