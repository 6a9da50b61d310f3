import { randomUUID } from 'node:crypto'

/** The `webhook-id` of an event that is not Keepsend's. */
export function newId(): string {
  return `msg_${randomUUID()}`
}

/** The size of an event that no setup says. */
const EVENT_BYTES = 500

/** What every contender sends: a JSON event, put together by hand so that making it is nobody's work. */
export function payloadOf(
  index: number,
  { type = EVENT_TYPE, bytes }: { type?: string | undefined; bytes?: number | undefined } = {},
): string {
  return `{"type":"${type}","timestamp":"2026-11-23T12:00:00.000Z","data":{"index":${index},"text":"${textOf(index, bytes)}"}}`
}

export const EVENT_TYPE = 'message.created'

/** The text that makes an event so long: 100 to 20,000 bytes. */
export function textOf(index: number, bytes = EVENT_BYTES): string {
  return TEXT.slice(0, bytes - 93 - String(index).length)
}

const TEXT = 'x'.repeat(20_000)

/** `from`, `from` + 1 … in lists of at most 500. */
export function* batches(count: number): Generator<number[]> {
  for (let from = 0; from < count; from += 500) {
    yield Array.from({ length: Math.min(500, count - from) }, (_, index) => from + index)
  }
}
