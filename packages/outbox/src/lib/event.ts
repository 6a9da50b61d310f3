import { contentTypeProblem } from './content-type.ts'
import { OutboxError } from './errors.ts'
import { type OptionNames, createOptionChecks } from './options.ts'
import { newUuid } from './uuid.ts'

/** One delivery to insert, which is retained until it is settled. */
export interface OutboxEvent {
  /** `evt_` and a lower-case UUIDv7. The caller makes it ({@link newEventId}), so that the insert can be repeated. */
  eventId: string
  /** The receiving endpoint; 1–64 characters of `A-Za-z0-9_-`. Without it, the row's id is the event id alone. */
  endpointId?: string | undefined
  workspaceId: string
  type: string
  /** The exact bytes to sign and send, at most {@link MAX_PAYLOAD_BYTES}. Well-formed Unicode without a NUL. */
  payload: string
  /**
   * The media type of the payload: at most 255 visible ASCII characters, with no charset but UTF-8. @default JSON,
   * stored as null
   */
  contentType?: string | undefined
  /** Attempts before the row becomes `failed`: 1–100. @default 10 */
  maxAttempts?: number | undefined
  /**
   * When the row may be claimed: milliseconds since the epoch; `'now'`, by the database's clock; or `'dispatched'` for
   * a row whose first attempt a queue message triggers (not in the due index, but found by the sweep).
   *
   * @default 'now'
   */
  due?: number | 'now' | 'dispatched' | undefined
}

export const EVENT_OPTIONS = {
  eventId: 'text',
  endpointId: 'text',
  workspaceId: 'text',
  type: 'text',
  payload: 'text',
  contentType: 'text',
  maxAttempts: 'number',
  due: 'any',
} satisfies OptionNames<OutboxEvent>

/** 1,000,000 bytes: D1 refuses a row of more than 2,000,000, and a row holds more than its payload. */
export const MAX_PAYLOAD_BYTES = 1_000_000

/** @default of `maxAttempts`: the attempts of the default schedule (Standard Webhooks' example, 75 h 35 min). */
export const DEFAULT_MAX_ATTEMPTS = 10

const EVENT_ID = /^evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const PLAIN_NAME = /^[A-Za-z0-9_-]{1,64}$/

/** Returns a new event id: `evt_` and a UUIDv7. Those of one process sort in the order of creation. */
export function newEventId(): string {
  return `evt_${newUuid()}`
}

/** Whether a text is exactly `evt_` and a lower-case UUIDv7. */
export function isEventId(text: string): boolean {
  return EVENT_ID.test(text)
}

/** Returns the time inside an event id, ms since the epoch. @throws {OutboxError} `invalid_event` for any other text */
export function eventIdTime(eventId: string): number {
  checkEventId(eventId)
  return Number.parseInt(eventId.slice(4, 12) + eventId.slice(13, 17), 16)
}

function checkEventId(eventId: string): void {
  if (!isEventId(eventId)) throw invalid(`eventId must be evt_ and a lower-case UUIDv7; found ${quote(eventId)}`)
}

/** The smallest possible event id of a time: the lower bound of a key range by time. */
export function firstEventIdAt(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0')
  return `evt_${hex.slice(0, 8)}-${hex.slice(8, 12)}`
}

/** Validates an event for every database. @throws {OutboxError} `invalid_event`, naming what was found */
export function checkEvent(event: OutboxEvent): void {
  checkNames('an event', EVENT_OPTIONS, event)
  checkEventId(event.eventId)
  checkName('workspaceId', event.workspaceId, 255)
  checkName('type', event.type, 255)
  if (event.endpointId !== undefined && !PLAIN_NAME.test(event.endpointId)) {
    throw invalid(`endpointId must be 1–64 characters of A-Za-z0-9_-; found ${quote(event.endpointId)}`)
  }
  const { maxAttempts, due } = event
  if (maxAttempts !== undefined && !(Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= 100)) {
    throw invalid(`maxAttempts must be a whole number from 1 to 100; found ${maxAttempts}`)
  }
  if (typeof due === 'number' && !(Number.isSafeInteger(due) && due >= 0)) {
    throw invalid(`due must be whole milliseconds since the epoch; found ${due}`)
  }
  checkPayload(event.payload)
  const problem = event.contentType === undefined ? undefined : contentTypeProblem(event.contentType)
  if (problem !== undefined) throw invalid(`contentType ${problem}`)
}

function checkPayload(payload: string): void {
  if (typeof payload !== 'string') throw invalid(`payload must be a string; found ${typeof payload}`)
  // A UTF-16 unit is at most 3 bytes, so only a payload that could be too long is measured.
  if (payload.length * 3 > MAX_PAYLOAD_BYTES && utf8Bytes(payload) > MAX_PAYLOAD_BYTES) {
    throw invalid(`payload must be at most ${MAX_PAYLOAD_BYTES} bytes; found ${utf8Bytes(payload)}`)
  }
  if (!payload.isWellFormed() || payload.includes('\0')) {
    throw invalid('payload must be well-formed Unicode without a NUL: Postgres stores no other text; JSON escapes both')
  }
}

function checkName(name: string, value: string, max: number): void {
  if (
    typeof value !== 'string' ||
    value.length === 0 ||
    value.length > max ||
    !value.isWellFormed() ||
    value.includes('\0')
  ) {
    throw invalid(`${name} must be 1–${max} characters of well-formed text; found ${quote(value)}`)
  }
}

/** The length of a text in UTF-8, without encoding it. */
export function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) bytes += unit > 0x7ff ? (unit >= 0xd800 && unit <= 0xdfff ? 1 : 2) : 1
  }
  return bytes
}

function quote(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 80) : value) ?? typeof value
}

const { checkNames } = createOptionChecks(invalid)

function invalid(message: string): OutboxError {
  return new OutboxError('invalid_event', message)
}
