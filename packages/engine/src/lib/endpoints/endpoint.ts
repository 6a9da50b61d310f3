import type { CompatFormat, CompatSignature } from '../signing/compat-signature.ts'
import type { EndpointAuth, EndpointTls, ShownAuth, ShownTls } from '../credentials.ts'
import type { RatePeriod } from '../backlog/rate-limit.ts'

/** A customer's URL, with what it subscribes to and how it is retried. Times are milliseconds since the epoch. */
export interface Endpoint {
  id: string
  workspaceId: string
  url: string
  description: string
  status: 'enabled' | 'disabled'
  /** Why it is disabled: `manual`, `failing` when it had failed for too long, `gone` when the receiver answered 410, `receiver_requested` when it sent `webhook-delivery: disable`. */
  disabledReason: (typeof DISABLED_REASONS)[number] | null
  /** Since when it is disabled; null while it is enabled. New deliveries are held for it for `maxAgeMs` from here. */
  disabledAt: number | null
  /** + 1 on every change. */
  version: number
  /** Types it wants: exact, `prefix.*`, or `*`. */
  eventTypes: string[]
  /** Channels it listens to; empty: every event, with channels or without. */
  channels: string[]
  /** Waits before the second and each later attempt, in seconds; null: the default schedule. */
  retrySchedule: number[] | null
  /** Deadline of one attempt; null: the engine's. */
  deadlineMs: number | null
  /** The names of the headers of its own that every attempt carries. Their values are not shown. */
  headerNames: string[]
  /** Statuses from 400 to 499 that are tried again, besides 408, 421, 425 and 429. Any answer with `Retry-After` is tried again too. */
  retryStatuses: number[]
  /** What its requests are signed with, by Standard Webhooks. */
  signatures: ('v1' | 'v1a')[]
  /** The header of its compatibility signature; null: it has none. */
  compatHeader: string | null
  /** The form of that signature. */
  compatFormat: CompatFormat
  /** The header that says the type of the event; null: none does. */
  eventTypeHeader: string | null
  /** Attempts at once from one process; null: as its queue has it for every endpoint. */
  concurrency: number | null
  /** Attempts per `ratePeriod`, from all processes together; null: no limit. */
  rateLimit: number | null
  ratePeriod: RatePeriod
  /** How its attempts prove themselves, without the secrets; null: by their signature alone. */
  auth: ShownAuth | null
  /** What its connections are made with, as fingerprints; null: with nothing of its own. */
  tls: ShownTls | null
  /** `open` while it fails: its deliveries are held, and one at a time is tried. */
  circuit: 'closed' | 'open'
  /** The first failure since the last success; null while all goes well. */
  failingSince: number | null
  /** No attempt begins before: a person or its receiver asked for a wait, and its deliveries are held. Null: it is not paused. */
  pausedUntil: number | null
  /**
   * Columns of its row that were broken by hand, and are shown as if they were empty (an unknown status as `disabled`). Its
   * deliveries fail or are held until each is set again. Absent where there is none.
   */
  unreadable?: string[] | undefined
  createdAt: number
  updatedAt: number
}

/** What a caller may set. */
export interface EndpointInput {
  url: string
  /** At most 500 characters. @default '' */
  description?: string | undefined
  /** 1 to 50 types or patterns; times the channels at most `limits.subscriptionsPerEndpoint`. @default ['*'] */
  eventTypes?: readonly string[] | undefined
  /** At most 10 channels or patterns. @default [] (all) */
  channels?: readonly string[] | undefined
  /** At most 20 waits of 1 to 86,400 seconds, together less than `maxAgeMs`. @default the engine's schedule */
  retrySchedule?: readonly number[] | null | undefined
  /** 1,000 to 30,000 ms. @default the engine's deadline */
  deadlineMs?: number | null | undefined
  /**
   * Headers that every attempt carries besides ours: at most 32, 4,096 visible ASCII characters each and 16 KiB in all.
   * Not those that a request is made of or that are ours (`host`, `content-*`, `webhook-*` and their like). A change
   * replaces them all. @default {}
   */
  headers?: Readonly<Record<string, string>> | undefined
  /** At most 20 statuses from 400 to 499, 410 not among them, that are tried again instead of failing. @default [] */
  retryStatuses?: readonly number[] | undefined
  /**
   * `v1`, HMAC under a shared `whsec_` secret; `v1a`, ed25519, whose public key the receiver is given; or both. A scheme
   * that is added gets a secret of its own, and one that is left out loses those it had. @default ['v1']
   */
  signatures?: readonly ('v1' | 'v1a')[] | undefined
  /** A signature of an older form beside those, for receivers that know no other; null takes it away. @default null */
  compatSignature?: CompatSignature | null | undefined
  /** A header whose value is the type of the event, by the rule for `headers` and under another name; null: none. @default null */
  eventTypeHeader?: string | null | undefined
  /** Attempts at once from one process: 1 to 1,000. @default the queue's slots for an endpoint */
  concurrency?: number | null | undefined
  /** Attempts per `ratePeriod`, from all processes together: 1 to 10,000. @default no limit */
  rateLimit?: number | null | undefined
  /** What `rateLimit` is per. @default 'second' */
  ratePeriod?: RatePeriod | undefined
  /**
   * How attempts prove themselves in the header `authorization`: `basic`, `bearer` or `oauth2` (client credentials). A change
   * replaces it as a whole, and null takes it away. Its secrets are encrypted at rest and never shown. @default null
   */
  auth?: EndpointAuth | null | undefined
  /**
   * A client certificate and private authorities, where the sender can use them: on Node, not on Workers. A change replaces
   * it as a whole, and null takes it away. @default null
   */
  tls?: EndpointTls | null | undefined
  /** A secret to take over from elsewhere: `whsec_…`, or `whsk_…` for `v1a`. Only at creation. @default a new one */
  secret?: string | undefined
}

export const DISABLED_REASONS = ['manual', 'failing', 'gone', 'receiver_requested'] as const
