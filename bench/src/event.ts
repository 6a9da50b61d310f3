import { randomUUID } from 'node:crypto'

/** The `webhook-id` of an event that is not Keepsend's. */
export function newId(): string {
  return `msg_${randomUUID()}`
}

/** What every contender sends: a 500-byte JSON event, put together by hand so that making it is nobody's work. */
export function payloadOf(index: number, type = EVENT_TYPE): string {
  return `{"type":"${type}","timestamp":"2026-11-23T12:00:00.000Z","data":{"index":${index},"text":"${textOf(index)}"}}`
}

export const EVENT_TYPE = 'message.created'

/** The text that makes an event 500 bytes long. */
export function textOf(index: number): string {
  return TEXT.slice(String(index).length)
}

const TEXT = 'x'.repeat(500 - 93)

/** `from`, `from` + 1 … in lists of at most 500. */
export function* batches(count: number): Generator<number[]> {
  for (let from = 0; from < count; from += 500) {
    yield Array.from({ length: Math.min(500, count - from) }, (_, index) => from + index)
  }
}
