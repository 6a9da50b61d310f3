import type { CompatFormat, CompatSignature } from '../signing/compat-signature.ts'
import type { EndpointAuth, EndpointTls, ShownAuth, ShownTls } from '../credentials.ts'
import type { ContentFilter } from '../filters/content-filter.ts'
import type { RatePeriod } from '../backlog/rate-limit.ts'

/** A customer's URL with its subscriptions and its retry policy. Times are milliseconds since the epoch. */
export interface Endpoint {
  id: string
  /** Your own id of it, unique in the workspace; null: it has none. */
  uid: string | null
  workspaceId: string
  url: string
  description: string
  /** Your own texts about it, which are never sent. */
  metadata: Readonly<Record<string, string>>
  status: 'enabled' | 'disabled'
  /**
   * Why it is disabled: `manual`; `failing`, it failed for too long; `gone`, the receiver answered 410; `receiver_requested`,
   * the receiver sent `webhook-delivery: disable`.
   */
  disabledReason: (typeof DISABLED_REASONS)[number] | null
  /** Disabled since then; null while it is enabled. New deliveries are held for `maxAgeMs` from then on. */
  disabledAt: number | null
  /** Raised by 1 on every change. */
  version: number
  /** Subscriptions: a type, `prefix.*`, or `*`. */
  eventTypes: string[]
  /** Channels it listens to; empty: every event, with channels or without. */
  channels: string[]
  /** Waits before the second and each later attempt, in seconds; null: the default schedule. */
  retrySchedule: number[] | null
  /** Deadline of one attempt in ms; null: the engine's. */
  deadlineMs: number | null
  /** The names of the endpoint's own headers. Their values are never shown. */
  headerNames: string[]
  /** Statuses from 400 to 499 to retry, in addition to 408, 421, 425 and 429. Any answer with `Retry-After` is retried too. */
  retryStatuses: number[]
  /** The schemes of Standard Webhooks that its requests are signed by. */
  signatures: ('v1' | 'v1a')[]
  /** The header of its compatibility signature; null: it has none. */
  compatHeader: string | null
  /** The form of that signature. */
  compatFormat: CompatFormat
  /** The header with the type of the event; null: none. */
  eventTypeHeader: string | null
  /** The condition that the body of an event must match; null: none. */
  filter: ContentFilter | null
  /** The label of the version in which it gets events; null: it was made without one, and gets the oldest. */
  eventVersion: string | null
  /** Concurrent attempts from one process; null: the queue's default. */
  concurrency: number | null
  /** Attempts per `ratePeriod`, from all processes together; null: no limit. */
  rateLimit: number | null
  ratePeriod: RatePeriod
  /** How its attempts authenticate, without the secrets; null: only by their signature. */
  auth: ShownAuth | null
  /** Its TLS settings as fingerprints; null: it has none. */
  tls: ShownTls | null
  /** `open` while it fails: its deliveries are held, and one at a time is tried. */
  circuit: 'closed' | 'open'
  /** The first failure since the last success; null: it is not failing. */
  failingSince: number | null
  /** No attempt begins before this time, and deliveries are held: a person or the receiver paused it. Null: it is not paused. */
  pausedUntil: number | null
  /**
   * Columns of its row that were broken by hand and are shown as empty (an unknown status as `disabled`). Its deliveries fail
   * or are held until each is set again. Absent if there are none.
   */
  unreadable?: string[] | undefined
  createdAt: number
  updatedAt: number
}

/** The properties that a caller may set. */
export interface EndpointInput {
  url: string
  /** At most 500 characters. @default '' */
  description?: string | undefined
  /**
   * Your own id of the endpoint, unique in the workspace: 1 to 255 letters, digits, `.`, `_`, `:` and `-`, of which the first is
   * a letter or a digit; null: none. @default null
   */
  uid?: string | null | undefined
  /**
   * Your own texts about it, shown and never sent: at most 20, each at most 500 characters, under keys of at most 40 characters
   * in the form of a `uid`. A change replaces all of them. @default {}
   */
  metadata?: Readonly<Record<string, string>> | undefined
  /** 1 to 50 types or patterns; times the channels at most `limits.subscriptionsPerEndpoint`. @default ['*'] */
  eventTypes?: readonly string[] | undefined
  /** At most 10 channels or patterns. @default [] (all) */
  channels?: readonly string[] | undefined
  /** At most 20 waits of 1 to 86,400 seconds, together less than `maxAgeMs`. @default the engine's schedule */
  retrySchedule?: readonly number[] | null | undefined
  /** 1,000 to 30,000 ms. @default the engine's deadline */
  deadlineMs?: number | null | undefined
  /**
   * Additional headers of every attempt: at most 32, 4,096 visible ASCII characters each and 16 KiB in all. Not those of the
   * connection or of Keepsend (`host`, `content-*`, `webhook-*` and similar). A change replaces all of them. @default {}
   */
  headers?: Readonly<Record<string, string>> | undefined
  /** At most 20 statuses from 400 to 499, except 410, that are retried instead of failing the delivery. @default [] */
  retryStatuses?: readonly number[] | undefined
  /**
   * `v1`, HMAC under a shared `whsec_` secret; `v1a`, ed25519, whose public key the receiver gets; or both. An added scheme
   * gets a secret of its own, and a removed one loses its secrets. @default ['v1']
   */
  signatures?: readonly ('v1' | 'v1a')[] | undefined
  /** An additional signature in an older form, for receivers that support no other; null removes it. @default null */
  compatSignature?: CompatSignature | null | undefined
  /** A header with the type of the event, by the rule for `headers` and under another name; null: none. @default null */
  eventTypeHeader?: string | null | undefined
  /** A condition that the body of an event must match; null or `{}`: every event of its types and channels. @default null */
  filter?: ContentFilter | null | undefined
  /** The version in which it gets events, one of the catalog's labels. @default the newest; without versions none */
  eventVersion?: string | undefined
  /** Concurrent attempts from one process: 1 to 1,000. @default the queue's slots for an endpoint */
  concurrency?: number | null | undefined
  /** Attempts per `ratePeriod`, from all processes together: 1 to 10,000. @default no limit */
  rateLimit?: number | null | undefined
  /** The period of `rateLimit`. @default 'second' */
  ratePeriod?: RatePeriod | undefined
  /**
   * How attempts authenticate in the header `authorization`: `basic`, `bearer` or `oauth2` (client credentials). A change
   * replaces it as a whole; null removes it. Its secrets are encrypted at rest and never shown. @default null
   */
  auth?: EndpointAuth | null | undefined
  /**
   * A client certificate and private authorities, where the sender supports them: on Node, not on Workers. A change replaces
   * it as a whole; null removes it. @default null
   */
  tls?: EndpointTls | null | undefined
  /** An existing secret: `whsec_…`, or `whsk_…` for `v1a`. Only at creation. @default a new one */
  secret?: string | undefined
}

export const DISABLED_REASONS = ['manual', 'failing', 'gone', 'receiver_requested'] as const
