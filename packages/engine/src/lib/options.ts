import type { OutboxDatabase } from '@keepsend/outbox'
import {
  DEFAULT_RETENTION_MS,
  type OptionNames,
  type OptionsOf,
  type WithDefaults,
  withDefaults,
} from '@keepsend/outbox/internal'
import type { Authenticate } from './access/api-key.ts'
import { URL_POLICY_OPTIONS, type UrlPolicy } from './url-policy/check-url.ts'
import { CIRCUIT_OPTIONS, type CircuitOptions, circuitOptions } from './health/circuit-breaker.ts'
import { EngineError, checkBounds, checkNames } from './errors.ts'
import type { EventQueue } from './publish/event-queue.ts'
import { IDEMPOTENCY_RETENTION_MS } from './idempotency/idempotency.ts'
import { LIMIT_OPTIONS, type Limits, readLimits } from './limits.ts'
import { consoleLogger, debugConsoleLogger } from './console-logger.ts'
import type { Logger } from './logger.ts'
import { DEFAULT_MAX_AGE_MS, DEFAULT_RETRY_SCHEDULE, longestMs } from './retry-schedule.ts'
import { DEFAULT_DEADLINE_MS, type Sender } from './sender.ts'
import { loopbackSender } from './delivery/loopback-sender.ts'
import type { Secrets } from './secrets/secret-store.ts'
import type { Signer } from './signing/signer.ts'

export interface EngineOptions {
  /** Where change and rows are committed. `migrate(db)` first. */
  db: OutboxDatabase
  /** Who is told of new rows, and how they start. */
  queue: EventQueue
  /** Makes the POSTs. Without one the engine publishes, and another process delivers. */
  sender?: Sender | undefined
  /**
   * What signing secrets and the pepper of API keys are encrypted with at rest: `createKeyRing`, or a KMS of your own.
   * `'plaintext-for-development'` keeps them readable; a key ring reads those too, and `reencryptSecrets` encrypts them.
   */
  secrets: Secrets
  /**
   * For local work, never in production. URLs of endpoints and of OAuth token servers may be `http://`, with any port, on the
   * loopback interface: `localhost`, 127.0.0.0/8, `[::1]`. The engine tells its sender to connect there, `debug` lines go to
   * the console unless there is a `logger`, and a warning is logged. `urlPolicy` holds besides. @default false
   */
  development?: boolean | undefined
  /** @default WebCrypto */
  signer?: Signer | undefined
  /**
   * What may be sent to: https to public addresses on ports 443 and 8443, unless it says more. A sender that judges
   * connections has a policy too, and they must be the same. @default the sender's
   */
  urlPolicy?: UrlPolicy | undefined
  /** Who may use the routes. @default the engine's own API keys, as `Authorization: Bearer ks_…` */
  authenticate?: Authenticate | undefined
  /**
   * Where clients find the routes, such as `https://api.example.com/webhooks`: what the OpenAPI document names as its server.
   * Needed where neither the path of a request nor `X-Forwarded-Prefix` of a proxy says it.
   *
   * @default the path that the document was asked at
   */
  publicUrl?: string | undefined
  /** Waits between attempts in seconds, for endpoints without their own: at most 99. @default DEFAULT_RETRY_SCHEDULE */
  retrySchedule?: readonly number[] | undefined
  /** Bound on one attempt with everything in it, in ms: 500–30,000. @default 15_000 */
  deadlineMs?: number | undefined
  /** The most that an endpoint's own deadline counts for, in ms: from `deadlineMs` to 30,000. @default 30_000 */
  maxDeadlineMs?: number | undefined
  /**
   * How long an answer (429, or 503 with `Retry-After`) may pause an endpoint, in ms: 1,000–86,400,000.
   *
   * @default 3_600_000 (1 hour)
   */
  maxPauseMs?: number | undefined
  /** Keep delivered rows, to show them, until clean-up; otherwise success deletes the row. @default false */
  keepCompleted?: boolean | undefined
  /**
   * A delivery that is not settled so long after its event, or its last replay, fails as `expired`, held or pending: from
   * more than the waits of `retrySchedule` to 31,536,000,000 ms (a year). A disabled endpoint collects for as long.
   *
   * @default 604_800_000 (7 days)
   */
  maxAgeMs?: number | undefined
  /** How long delivered rows are retained (`keepCompleted`), in ms. @default 86_400_000 (24 h) */
  retentionMs?: number | undefined
  /** How long failed rows are retained, to be looked at and replayed, in ms. @default `maxAgeMs` */
  failedRetentionMs?: number | undefined
  /** How long idempotency records are retained, in ms: 60,000–31,536,000,000. @default 604_800_000 (7 days) */
  idempotencyRetentionMs?: number | undefined
  /** What a workspace, an endpoint and a request may ask for at most. @default see each */
  limits?: OptionsOf<Limits> | undefined
  /** When an endpoint that fails is left alone, probed and disabled. @default see each */
  circuit?: OptionsOf<CircuitOptions> | undefined
  /**
   * Whose endpoints are told what Keepsend itself has to report: `keepsend.endpoint.circuit_opened`, `.recovered`,
   * `.failing`, `.disabled` and `keepsend.delivery.failed`, from all workspaces. An endpoint subscribes to them by name or
   * by `keepsend.*`; `*` does not match them. @default nobody is told
   */
  operatorWorkspaceId?: string | undefined
  /** Told what fails, and what is well again; {@link silentLogger} says nothing. @default consoleLogger */
  logger?: Logger | undefined
  /** The header of every attempt. @default 'Keepsend' */
  userAgent?: string | undefined
  /** A number from 0 to 1 for jitter. @default Math.random */
  random?: (() => number) | undefined
  /** Milliseconds that only go up, for what is cached. @default performance.now */
  monotonic?: (() => number) | undefined
}

/** Every option of {@link EngineOptions} by its name, for adapters that take them and refuse an unknown one. */
export const ENGINE_OPTION_NAMES = {
  db: 'object',
  queue: 'object',
  sender: 'object',
  secrets: 'any',
  development: 'boolean',
  signer: 'function',
  urlPolicy: URL_POLICY_OPTIONS,
  authenticate: 'function',
  publicUrl: 'text',
  retrySchedule: 'numbers',
  deadlineMs: 'number',
  maxDeadlineMs: 'number',
  maxPauseMs: 'number',
  keepCompleted: 'boolean',
  maxAgeMs: 'number',
  retentionMs: 'number',
  failedRetentionMs: 'number',
  idempotencyRetentionMs: 'number',
  limits: LIMIT_OPTIONS,
  circuit: CIRCUIT_OPTIONS,
  operatorWorkspaceId: 'text',
  logger: 'object',
  userAgent: 'text',
  random: 'function',
  monotonic: 'function',
} as const satisfies OptionNames<EngineOptions>

// Standard Webhooks asks senders to wait 15 to 30 seconds, not longer.
const MAX_DEADLINE_MS = 30_000
const MAX_AGE_MS = 31_536_000_000
const MAX_WAITS = 99
const MAX_WAIT_SECONDS = 86_400

const DEFAULTS = {
  development: false,
  retrySchedule: DEFAULT_RETRY_SCHEDULE,
  deadlineMs: DEFAULT_DEADLINE_MS,
  maxDeadlineMs: MAX_DEADLINE_MS,
  maxPauseMs: 3_600_000,
  keepCompleted: false,
  maxAgeMs: DEFAULT_MAX_AGE_MS,
  retentionMs: DEFAULT_RETENTION_MS,
  idempotencyRetentionMs: IDEMPOTENCY_RETENTION_MS,
  userAgent: 'Keepsend',
  random: Math.random,
  monotonic: () => performance.now(),
} satisfies Partial<EngineOptions>

/** The options as the engine goes by them. @throws {EngineError} `invalid_option`, naming option, bound and value */
export function readOptions(options: EngineOptions): WithDefaults<
  EngineOptions,
  typeof DEFAULTS & { logger: Logger }
> & {
  circuit: CircuitOptions
  limits: Limits
  urlPolicy: UrlPolicy
  sender: Sender | undefined
  failedRetentionMs: number
} {
  checkNames('createEngine', ENGINE_OPTION_NAMES, options)
  const logger = options.development ? debugConsoleLogger : consoleLogger
  const whole = withDefaults(options, { ...DEFAULTS, logger })
  const { deadlineMs, maxDeadlineMs, retrySchedule, maxAgeMs, development, sender } = whole
  const { failedRetentionMs = maxAgeMs } = whole
  checkBounds('deadlineMs', deadlineMs, 500, MAX_DEADLINE_MS)
  checkBounds('maxDeadlineMs', maxDeadlineMs, deadlineMs, MAX_DEADLINE_MS)
  checkBounds('maxPauseMs', whole.maxPauseMs, 1000, 86_400_000)
  checkBounds('retentionMs', whole.retentionMs, 0, Number.MAX_SAFE_INTEGER)
  checkBounds('failedRetentionMs', failedRetentionMs, 0, Number.MAX_SAFE_INTEGER)
  checkBounds('idempotencyRetentionMs', whole.idempotencyRetentionMs, 60_000, 31_536_000_000)
  if (retrySchedule.length > MAX_WAITS || !retrySchedule.every((wait) => wait >= 0 && wait <= MAX_WAIT_SECONDS)) {
    throw new EngineError(
      'invalid_option',
      `retrySchedule must hold at most ${MAX_WAITS} waits of 0 to ${MAX_WAIT_SECONDS} seconds; found ${JSON.stringify(retrySchedule)}`,
    )
  }
  checkPublicUrl(whole.publicUrl)
  const longest = longestMs(retrySchedule)
  if (!(Number.isInteger(maxAgeMs) && maxAgeMs > longest && maxAgeMs <= MAX_AGE_MS)) {
    throw new EngineError(
      'invalid_option',
      `maxAgeMs must be a whole number of more than ${longest}, which the waits of retrySchedule can take, to ${MAX_AGE_MS}; found ${maxAgeMs}`,
    )
  }
  return {
    ...whole,
    failedRetentionMs,
    urlPolicy: onePolicy(options),
    sender: development && sender ? loopbackSender(sender) : sender,
    circuit: circuitOptions(options.circuit),
    limits: readLimits(options.limits),
  }
}

/** A URL that the engine accepts and its sender never sends to would only be noticed when all its deliveries failed. */
function onePolicy({ urlPolicy, sender }: EngineOptions): UrlPolicy {
  const held = sender?.urlPolicy
  if (urlPolicy && held && JSON.stringify(urlPolicy) !== JSON.stringify(held)) {
    throw new EngineError(
      'invalid_option',
      `urlPolicy must be the one its sender has: give it to the sender alone; found ${JSON.stringify(urlPolicy)} and ${JSON.stringify(held)}`,
    )
  }
  return urlPolicy ?? held ?? {}
}

function checkPublicUrl(publicUrl: string | undefined): void {
  if (publicUrl === undefined || /^https?:\/\/[^\s{}?#]+[^\s{}?#/]$/.test(publicUrl)) return
  const found = JSON.stringify(publicUrl)
  throw new EngineError(
    'invalid_option',
    `publicUrl must be an http or https URL without a query and without a slash at its end; found ${found}`,
  )
}
