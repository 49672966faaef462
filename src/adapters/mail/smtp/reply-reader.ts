/** Reads the replies of an SMTP server (RFC 5321, section 4.2) from a stream that may end, stall or never stop at any moment. */

export interface Reply {
  code: number;
  /** The text of its lines, without their codes. */
  lines: string[];
}

/** The connection is of no more use: the server left, was silent, or does not speak SMTP. */
export class ConnectionLost extends Error {}

const maxReplyBytes = 65_536;

export interface ReplyReader {
  /** Throws ConnectionLost. */
  next(): Promise<Reply>;
  /** True when the server has said more than it was asked: before STARTTLS that is somebody else's words. */
  hasMore(): boolean;
  release(): void;
}

export function makeReplyReader(
  readable: ReadableStream<Uint8Array>,
  withTimeout: <T>(work: Promise<T>) => Promise<T>,
): ReplyReader {
  const reader = readable.getReader();
  const decoder = new TextDecoder();
  let buffered = "";
  const nextLine = async (budget: { left: number }): Promise<string> => {
    for (;;) {
      const end = buffered.indexOf("\n");
      if (end >= 0) {
        const line = buffered.slice(0, end).replace(/\r$/, "");
        buffered = buffered.slice(end + 1);
        return line;
      }
      const { value, done } = await withTimeout(reader.read());
      if (done) throw new ConnectionLost("the server closed the connection");
      budget.left -= value.byteLength;
      if (budget.left < 0) throw new ConnectionLost("the server's reply has no end");
      buffered += decoder.decode(value, { stream: true });
    }
  };
  return {
    async next() {
      const lines: string[] = [];
      const budget = { left: maxReplyBytes };
      for (;;) {
        const [, code, more, text] = /^(\d{3})([ -]?)(.*)$/.exec(await nextLine(budget)) ?? [];
        if (code === undefined) throw new ConnectionLost("the server does not speak SMTP");
        lines.push(text ?? "");
        if (more !== "-") return { code: Number(code), lines };
      }
    },
    hasMore: () => buffered !== "",
    release: () => reader.releaseLock(),
  };
}
