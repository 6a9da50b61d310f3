import { newEventId } from '@keepsend/outbox'
import {
  type OptionNames,
  type PayloadVersions,
  type Schedule,
  createOptionChecks,
  isEventId,
  messageOf,
  utf8Bytes,
} from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import { isDeeperThan } from '../formats/json-depth.ts'
import { isoTime, readSchedule } from './event-times.ts'
import { invalid, kindOf, show } from './invalid-event.ts'
import { type RawBody, checkRawBody } from './raw-body.ts'
import { checkWorkspaceId } from '../workspace-id.ts'
import { isTraceparent } from './traceparent.ts'

/** Something that happened in a workspace: its `data` in Keepsend's envelope, or a `raw` body in place of both. */
export type WebhookEvent<Type extends string = string, Data = object> = DataEvent<Type, Data> | RawEvent<Type>

export const EVENT_OPTIONS = {
  type: 'text',
  workspaceId: 'text',
  data: 'any',
  raw: 'any',
  channels: 'texts',
  id: 'text',
  timestamp: 'any',
  deliverAt: 'any',
  expiresInMs: 'number',
  traceparent: 'text',
} satisfies OptionNames<WebhookEvent>

interface AnyEvent<Type extends string> {
  /** At most 16 identifiers of `A-Za-z0-9_` joined by dots, 128 characters; the prefix `keepsend.` is reserved. */
  type: Type
  workspaceId: string
  /** Sent only to endpoints that listen to one of these channels, or to all: at most 10, in the form of a type. @default none */
  channels?: readonly string[] | undefined
  /** `newEventId()`, for a caller that needs the id beforehand. The same id again makes no second delivery while the first is stored. */
  id?: string | undefined
  /** When it happened: a `Date`, or an RFC 3339 text, sent as given. Not sent with a `raw` body. @default now */
  timestamp?: Date | string | undefined
  /**
   * No attempt begins before this time, by the database's clock: a `Date`, or an RFC 3339 text, at most a year (366 days) ahead.
   * A past time means now. @default now
   */
  deliverAt?: Date | string | undefined
  /**
   * How long after its publish, or after `deliverAt`, an attempt may still begin, in ms: 1,000–31,622,400,000. From then on a
   * delivery fails as `expired`. A replay by a person is sent nevertheless. @default only `maxAgeMs` applies
   */
  expiresInMs?: number | undefined
  /**
   * The publisher's W3C trace context, `00-<32>-<16>-<2>` lower-case hexadecimal digits, neither id only zeros. Stored with
   * `history.events`; otherwise only validated. Not sent to receivers. @default none
   */
  traceparent?: string | undefined
}

interface DataEvent<Type extends string, Data> extends AnyEvent<Type> {
  /** Anything that JSON writes as an object, an interface or a class included. */
  data: Data
  raw?: undefined
}

interface RawEvent<Type extends string> extends AnyEvent<Type> {
  data?: undefined
  /** Sent unchanged, instead of the envelope `{ type, timestamp, data }`. */
  raw: RawBody
}

/** The labels of an event, and of the copies that were converted from it. */
export interface EventVersions extends PayloadVersions {
  /** The label of endpoints that were made without one. */
  oldest: string
}

/** A validated event with its id and its payload: from here on the bytes do not change. */
export interface PreparedEvent extends Schedule {
  id: string
  /** Whether the caller gave the id: the event may have been published before, and erased since. */
  hasGivenId?: boolean | undefined
  type: string
  workspaceId: string
  channels: readonly string[]
  timestamp: string
  traceparent: string | undefined
  data: object | undefined
  raw: RawBody | undefined
  payload: string
  /** Null: JSON, Keepsend's envelope. */
  contentType: string | null
  /** Undefined: it has no version. */
  versions?: EventVersions | undefined
}

/** 256 KiB in UTF-8. Standard Webhooks advises to stay below 20 kB. */
export const MAX_EVENT_BYTES = 262_144

/** The most levels of arrays and objects in an event's `data`; JSON parsers of receivers have limits too. */
export const MAX_DEPTH = 64

// At most 16 parts: publishing looks up each prefix of the type under each prefix of each channel.
export const NAME = /^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,15}$/
export const MAX_NAME_LENGTH = 128
export const MAX_CHANNELS = 10

/** The prefix of the types of operational webhooks, which no `*` matches. */
export const OWN_TYPES = 'keepsend.'

/**
 * Validates an event and builds its payload once: the envelope `{ type, timestamp, data }` (Standard Webhooks), or the raw
 * body.
 *
 * @throws {EngineError} `invalid_event` or `payload_too_large`, before anything is written
 */
export function prepareEvent(event: WebhookEvent, now: () => number = Date.now): PreparedEvent {
  checkNames('an event', EVENT_OPTIONS, event)
  const { type, workspaceId, data, raw, channels = [], id = newEventId(), traceparent } = event
  if (!isName(type))
    throw invalid(
      `type must be at most 16 identifiers of A-Za-z0-9_ joined by dots, 128 characters; found ${show(type)}`,
    )
  if (type.startsWith(OWN_TYPES))
    throw invalid(`types that begin with keepsend. are Keepsend's own; found ${show(type)}`)
  checkWorkspaceId(workspaceId, 'invalid_event')
  if (!isEventId(id))
    throw invalid(`id must be evt_ and a lower-case UUIDv7, as newEventId() makes it; found ${show(id)}`)
  if (channels.length > MAX_CHANNELS || !channels.every(isName)) {
    throw invalid(`channels must be at most ${MAX_CHANNELS} names of the form of a type; found ${show(channels)}`)
  }
  if (traceparent !== undefined && !isTraceparent(traceparent)) {
    throw invalid(
      `traceparent must be 00-<32>-<16>-<2> lower-case hexadecimal digits, neither id only zeros; found ${show(traceparent)}`,
    )
  }
  const timestamp = isoTime(event.timestamp ?? new Date(now()))
  const schedule = readSchedule(event, now())
  const hasGivenId = event.id !== undefined
  const prepared = { id, hasGivenId, type, workspaceId, channels, timestamp, traceparent, data, raw, ...schedule }
  if (raw === undefined) return { ...prepared, payload: envelope(type, timestamp, data), contentType: null }
  if (data !== undefined) throw invalid('an event has either data or raw; found both')
  const checked = checkRawBody(raw)
  return { ...prepared, raw: checked, payload: inSize(type, checked.body), contentType: checked.contentType }
}

/** Prepares several events; an error names the index of the invalid one. */
export function prepareEvents(events: readonly WebhookEvent[]): PreparedEvent[] {
  return events.map((event, index) => {
    try {
      return prepareEvent(event)
    } catch (error) {
      throw errorAt(events, index, error)
    }
  })
}

/** The error of one event of a list, with its index if there are others. */
export function errorAt(events: readonly unknown[], index: number, error: unknown): unknown {
  if (events.length === 1 || !(error instanceof EngineError)) return error
  return new EngineError(error.code, `events[${index}]: ${error.message}`, { cause: error })
}

/** Prepares an operational webhook, in the same envelope. */
export function prepareOwnEvent(event: {
  type: `${typeof OWN_TYPES}${string}`
  workspaceId: string
  data: object
  /** When it happened, ms since the epoch. @default now */
  at?: number | undefined
}): PreparedEvent {
  const { type, workspaceId, at = Date.now() } = event
  const data = { ...event.data }
  const timestamp = new Date(at).toISOString()
  return {
    id: newEventId(),
    type,
    workspaceId,
    channels: [],
    timestamp,
    traceparent: undefined,
    data,
    raw: undefined,
    payload: envelope(type, timestamp, data),
    contentType: null,
  }
}

/** Whether the text is a valid name of a type or a channel. */
export function isName(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_NAME_LENGTH && NAME.test(text)
}

/** Whether the text is a valid subscription: a name, `prefix.*`, or `*`. One longer than a name could match nothing. */
export function isPattern(text: string): boolean {
  return text === '*' || (text.length <= MAX_NAME_LENGTH && isName(text.replace(/\.\*$/, '')))
}

/** Every pattern that matches a name: `*`, each of its prefixes with `.*`, and itself. `*` matches no reserved type. */
export function patternsOf(name: string): string[] {
  const patterns = name.startsWith(OWN_TYPES) ? [name] : ['*', name]
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1))
    patterns.push(`${name.slice(0, dot)}.*`)
  return patterns
}

/** Keepsend's envelope as text. @throws {EngineError} `invalid_event` or `payload_too_large` */
export function envelope(type: string, timestamp: string, data: object | undefined): string {
  if (data === undefined) throw invalid('an event has either data or raw; found neither')
  if (typeof data !== 'object' || data === null || Array.isArray(data) || data instanceof Map || data instanceof Set)
    throw invalid(`data must be an object that JSON can write; found ${kindOf(data)}`)
  let payload: string
  try {
    payload = JSON.stringify({ type, timestamp, data })
  } catch (cause) {
    throw new EngineError('invalid_event', `data of ${type} cannot be written as JSON: ${messageOf(cause)}`, { cause })
  }
  // A Date is an object, but its `toJSON` returns a string.
  if (!payload.startsWith(',"data":{', JSON.stringify({ type, timestamp }).length - 1)) {
    throw invalid(`data of ${type} must be an object that JSON can write; found ${kindOf(data)}`)
  }
  if (isDeeperThan(payload, MAX_DEPTH + 1)) {
    throw new EngineError('invalid_event', `data of ${type} is nested more than ${MAX_DEPTH} deep`)
  }
  return inSize(type, payload)
}

function inSize(type: string, payload: string): string {
  // A UTF-16 code unit is at most 3 bytes: only a payload that may be too large is measured.
  const bytes = payload.length * 3 > MAX_EVENT_BYTES ? utf8Bytes(payload) : 0
  if (bytes > MAX_EVENT_BYTES) {
    throw new EngineError(
      'payload_too_large',
      `the event ${type} is ${bytes} bytes; the limit is ${MAX_EVENT_BYTES}: send a link to large data instead`,
    )
  }
  return payload
}

const { checkNames } = createOptionChecks(invalid)
