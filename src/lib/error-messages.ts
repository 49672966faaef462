/**
 * What an error and its causes say, the outermost first. The ORM wraps what the database said, and the database tells which rule was broken
 * by words only. It judges none of them.
 */

/** A chain of causes may be a ring. */
const maxDepth = 5;

export function messagesOf(error: unknown): string[] {
  const messages: string[] = [];
  for (let cause = error; cause instanceof Error && messages.length < maxDepth; cause = cause.cause)
    messages.push(cause.message);
  return messages;
}
