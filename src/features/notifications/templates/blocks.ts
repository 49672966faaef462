/** What a mail says, before it is HTML or plain text: both are made from the same blocks, so they always say the same. */

export type Block =
  | { kind: "paragraph"; words: string }
  /** To be typed or copied. */
  | { kind: "code"; code: string }
  | { kind: "link"; label: string; link: string }
  | { kind: "facts"; facts: readonly (readonly [name: string, value: string])[] };

export interface Letter {
  subject: string;
  blocks: Block[];
}

export const paragraph = (words: string): Block => ({ kind: "paragraph", words });
export const code = (given: string): Block => ({ kind: "code", code: given });
export const facts = (...given: [name: string, value: string][]): Block => ({ kind: "facts", facts: given });

/** Nothing where the address is not one of the web. */
export const link = (label: string, address: string | null): Block[] =>
  address === null ? [] : [{ kind: "link", label, link: address }];
