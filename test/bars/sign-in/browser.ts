/** As much of a browser as a sign-in needs: it keeps cookies by origin and path and follows redirects, one at a time. */

interface Cookie {
  origin: string;
  path: string;
  name: string;
  value: string;
}

export interface Visit {
  url: string;
  status: number;
  location: string | null;
  text: string;
}

export class Browser {
  cookies: Cookie[] = [];
  /** Every address that was asked or pointed to. */
  readonly seen: string[] = [];

  async visit(url: string, form?: Record<string, string>): Promise<Visit> {
    const { origin, pathname } = new URL(url);
    const cookie = this.cookiesFor(origin, pathname);
    const answer = await fetch(url, {
      redirect: "manual",
      headers: cookie ? { cookie } : {},
      ...(form ? { method: "POST", body: new URLSearchParams(form) } : {}),
    });
    for (const line of answer.headers.getSetCookie()) this.keep(origin, line);
    const given = answer.headers.get("location");
    const location = given === null ? null : new URL(given, url).href;
    this.seen.push(url, location ?? "");
    return { url, status: answer.status, location, text: await answer.text() };
  }

  /** As the header that it sends. */
  cookiesFor(origin: string, pathname = "/"): string {
    return this.cookies
      .filter((kept) => kept.origin === origin && pathname.startsWith(kept.path))
      .map(({ name, value }) => `${name}=${value}`)
      .join("; ");
  }

  keep(origin: string, line: string): void {
    const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
    const name = pair.slice(0, pair.indexOf("="));
    const value = pair.slice(pair.indexOf("=") + 1);
    const attribute = (wanted: string) =>
      attributes.find((text) => text.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1);
    const path = attribute("path") ?? "/";
    this.cookies = this.cookies.filter((kept) => kept.origin !== origin || kept.name !== name || kept.path !== path);
    const isOver = attribute("max-age") === "0" || Date.parse(attribute("expires") ?? "2999-01-01") < Date.now();
    if (!isOver) this.cookies.push({ origin, path, name, value });
  }

  /** Goes through the issuer's pages as the given subject; stops before `stopAt`, at anything that is not http, or at an answer. */
  async signIn(start: string, given: { subject: string; stopAt: string; abort?: boolean }): Promise<Visit> {
    let visit = await this.visit(start);
    for (let steps = 0; steps < 20; steps += 1) {
      if (visit.location !== null) {
        if (visit.location.startsWith(given.stopAt) || !visit.location.startsWith("http:")) return visit;
        visit = await this.visit(visit.location);
        continue;
      }
      const abort = /href="([^"]*\/abort)"/.exec(visit.text)?.[1];
      if (given.abort && abort) {
        visit = await this.visit(new URL(abort, visit.url).href);
        continue;
      }
      const action = /<form[^>]*action="([^"]+)"/.exec(visit.text)?.[1];
      const prompt = /name="prompt" value="(\w+)"/.exec(visit.text)?.[1];
      if (action === undefined || prompt === undefined) return visit;
      const person: Record<string, string> = prompt === "login" ? { login: given.subject, password: "any" } : {};
      visit = await this.visit(new URL(action, visit.url).href, { prompt, ...person });
    }
    throw new Error(`The issuer led in a circle: ${visit.url}`);
  }
}
