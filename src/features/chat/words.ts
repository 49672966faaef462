/** The words of an answer, for the message log: what a reader would have read of it, and what it wanted called. Vectors, sounds and pictures have none. */
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import { openEventReader, type StreamEvent } from "#lib/event-stream";

/** More than the log keeps of an answer: what is read beyond it would be thrown away. */
const maxLength = 16_000;
/** A longer answer is one of vectors or pictures. */
const maxParsedLength = 4_000_000;

const textOf = (value: unknown) => (typeof value === "string" ? value : "");
const listOf = (value: unknown) => (Array.isArray(value) ? value.filter(isObject) : []);

function callsText(calls: unknown): string {
  return listOf(calls)
    .map(({ function: named }) => (isObject(named) ? textOf(named["name"]) + textOf(named["arguments"]) : ""))
    .join("");
}

/** Of a message, or of the piece of one that a stream brings. */
function messageText(message: unknown): string {
  if (!isObject(message)) return "";
  return textOf(message["content"]) + textOf(message["refusal"]) + callsText(message["tool_calls"]);
}

/** Of an item of a response. */
function itemText(item: JsonObject): string {
  if (item["type"] === "function_call") return textOf(item["name"]) + textOf(item["arguments"]);
  return listOf(item["content"])
    .map((part) => textOf(part["text"]) + textOf(part["refusal"]))
    .join("");
}

/** @param text an answer as JSON; null: it has no words, or is none of the kinds that have */
export function wordsOfAnswer(text: string): string | null {
  if (text.length > maxParsedLength) return null;
  const answer: unknown = JSON.parse(text);
  if (!isObject(answer)) return null;
  if (typeof answer["text"] === "string") return answer["text"];
  const choices = listOf(answer["choices"]).map((choice) => messageText(choice["message"]) + textOf(choice["text"]));
  const texts = [...choices, ...listOf(answer["output"]).map(itemText)].filter((words) => words !== "");
  return texts.length > 0 ? texts.join("\n\n") : null;
}

/** Gathers the words of a stream as they pass. */
export interface Words {
  add(events: readonly StreamEvent[]): void;
  /** What comes now, nobody reads. */
  stop(): void;
  text(): string;
}

/** The pieces of an event, each with the answer that it belongs to. */
function piecesOf({ data }: StreamEvent): [unknown, string][] {
  if (!isObject(data)) return [];
  if (textOf(data["type"]).endsWith(".delta")) return [[data["output_index"], textOf(data["delta"])]];
  return listOf(data["choices"]).map((choice) => [
    choice["index"],
    messageText(choice["delta"]) + textOf(choice["text"]),
  ]);
}

export function openWords(): Words {
  const answers = new Map<unknown, string>();
  let left = maxLength;
  return {
    add(events) {
      for (const event of events) {
        if (left <= 0) return;
        for (const [answer, piece] of piecesOf(event)) {
          answers.set(answer, (answers.get(answer) ?? "") + piece);
          left -= piece.length;
        }
      }
    },
    stop() {
      left = 0;
    },
    text: () => [...answers.values()].join("\n\n"),
  };
}

/** Of a stream that was kept as it was sent. */
export function wordsOfStream(text: string): string {
  const words = openWords();
  words.add(openEventReader().push(Uint8Array.from(Buffer.from(text))).events);
  return words.text();
}
