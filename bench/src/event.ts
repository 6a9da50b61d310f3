import { randomUUID } from 'node:crypto'

/** The `webhook-id` of another contender's event. */
export function newId(): string {
  return `msg_${randomUUID()}`
}

/** The default size of an event. */
const EVENT_BYTES = 500

/** The payload of every contender: a JSON event, concatenated by hand so that creating it costs next to nothing. */
export function payloadOf(
  index: number,
  { type = EVENT_TYPE, bytes }: { type?: string | undefined; bytes?: number | undefined } = {},
): string {
  return `{"type":"${type}","timestamp":"2026-11-23T12:00:00.000Z","data":{"index":${index},"text":"${textOf(index, bytes)}"}}`
}

export const EVENT_TYPE = 'message.created'

/** The text that gives an event this size: 100 to 20,000 bytes. */
export function textOf(index: number, bytes = EVENT_BYTES): string {
  return TEXT.slice(0, bytes - 93 - String(index).length)
}

const TEXT = 'x'.repeat(20_000)

/** Numbers from 0 to `count`, in lists of at most 500. */
export function* batches(count: number): Generator<number[]> {
  for (let from = 0; from < count; from += 500) {
    yield Array.from({ length: Math.min(500, count - from) }, (_, index) => from + index)
  }
}
