import type { OutboxDatabase } from '@keepsend/outbox'
import { OR, type OptionNames, type OptionsOf, type WithDefaults, withDefaults } from '@keepsend/outbox/internal'
import type { Authenticate } from './access/api-keys.ts'
import type { EventCatalog } from './catalog/event-catalog.ts'
import { type CatalogOptions, checkCatalog } from './catalog/catalog-parts.ts'
import { commonPolicy } from './url-policy/common-policy.ts'
import { URL_POLICY_OPTIONS, type UrlPolicy } from './url-policy/check-url.ts'
import { CIRCUIT_OPTIONS, type CircuitOptions, circuitOptions } from './health/circuit-breaker.ts'
import { EngineError, checkBounds, checkMethods, checkNames } from './errors.ts'
import type { EventQueue } from './publish/event-queue.ts'
import { HISTORY_OPTIONS, type HistoryOptions, readHistory } from './history/history-options.ts'
import { IDEMPOTENCY_RETENTION_MS } from './idempotency/idempotency.ts'
import { LIMIT_OPTIONS, type Limits, readLimits } from './limits.ts'
import { consoleLogger, debugConsoleLogger } from './console-logger.ts'
import type { Logger } from './logger.ts'
import { DEFAULT_MAX_AGE_MS, DEFAULT_RETRY_SCHEDULE, MAX_AGE_WITH_HISTORY_MS, longestMs } from './retry-schedule.ts'
import { DEFAULT_DEADLINE_MS, type Sender } from './sender.ts'
import { loopbackSender } from './delivery/loopback-sender.ts'
import type { Secrets } from './secrets/secret-store.ts'
import type { Signer } from './signing/signer.ts'
import { checkPublicUrl } from './public-url.ts'
import { checkWorkerId } from './workers.ts'

export interface EngineOptions<Catalog extends EventCatalog = EventCatalog> {
  /** The database that the host's writes and the deliveries are committed to. Run `migrateEngine(db)` first. */
  db: OutboxDatabase
  /** The queue that new rows are dispatched to; it also says how rows start. */
  queue: EventQueue
  /** Makes the POSTs. Without one the engine publishes, and another process delivers. */
  sender?: Sender | undefined
  /**
   * Encrypts signing secrets and the pepper of API keys at rest: `createKeyRing`, or a KMS of your own.
   * `'plaintext-for-development'` stores them readable; a key ring reads those too, and `reencryptSecrets` encrypts them.
   */
  secrets: Secrets
  /**
   * For local work, never in production. URLs of endpoints and of OAuth token servers may be `http://`, with any port, on the
   * loopback interface: `localhost`, 127.0.0.0/8, `[::1]`. The engine tells its sender to connect there, `debug` lines go to
   * the console unless there is a `logger`, and a warning is logged. Other URLs stay under `urlPolicy`, and its `denyHosts` refuses loopback hosts too. @default false
   */
  development?: boolean | undefined
  /** @default WebCrypto */
  signer?: Signer | undefined
  /**
   * URLs that may be sent to. By default: https, public addresses, ports 443 and 8443. A sender that checks connections has a
   * policy too, and both must be equal. @default the sender's
   */
  urlPolicy?: UrlPolicy | undefined
  /** Authenticates requests to the routes. @default the engine's own API keys, as `Authorization: Bearer ks_…` */
  authenticate?: Authenticate | undefined
  /**
   * The URL of the routes for clients, such as `https://api.example.com/webhooks`: the server in the OpenAPI document. Needed
   * if neither the path of a request nor a proxy's `X-Forwarded-Prefix` shows it.
   *
   * @default the path at which the document was requested
   */
  publicUrl?: string | undefined
  /**
   * Waits between attempts in seconds, for endpoints without their own: at most 99, each 0–86,400.
   *
   * @default DEFAULT_RETRY_SCHEDULE
   */
  retrySchedule?: readonly number[] | undefined
  /** The longest that one attempt may take, all its steps included, in ms: 500–30,000. @default 15_000 */
  deadlineMs?: number | undefined
  /** Upper limit of an endpoint's own deadline, in ms: from `deadlineMs` to 30,000. @default 30_000 */
  maxDeadlineMs?: number | undefined
  /**
   * The longest pause of an endpoint that a receiver can request (429, or 503 with `Retry-After`), in ms: 1,000–86,400,000.
   *
   * @default 3_600_000 (1 hour)
   */
  maxPauseMs?: number | undefined
  /**
   * A delivery that is not settled this long after its event, or its last replay, fails as `expired`, held or pending: more
   * than the waits of `retrySchedule` together, at most 31,536,000,000 ms (a year). A disabled endpoint collects for as long.
   *
   * @default 604_800_000 (7 days); 2_592_000_000 (30 days) with `history`
   */
  maxAgeMs?: number | undefined
  /** How long failed rows are retained, to inspect and replay them, in ms. @default `maxAgeMs` */
  failedRetentionMs?: number | undefined
  /** How long idempotency records are retained, in ms: 60,000–31,536,000,000. @default 604_800_000 (7 days) */
  idempotencyRetentionMs?: number | undefined
  /** How long the actions of people stay in `engine.audit`, in ms: 86,400,000 (a day)–315,360,000,000 (ten years). @default 7_776_000_000 (90 days) */
  auditRetentionMs?: number | undefined
  /**
   * Records each attempt of a delivery, in the transaction of its outcome, to list and show it: see docs/history.md. On D1 each
   * recorded attempt is billed. `true`: with the default of each option. @default false
   */
  history?: boolean | OptionsOf<HistoryOptions> | undefined
  /** Upper limits of a workspace, an endpoint and a request. @default see each */
  limits?: OptionsOf<Limits> | undefined
  /**
   * The types of events that the app publishes, from {@link defineEvents}: the compiler and `validation` hold each event to it, and
   * it describes them to receivers. See docs/catalog.md. @default none: events of any type
   */
  catalog?: Catalog | undefined
  /**
   * The effect of the `catalog` on an event that does not fit it: `'refuse'` it with `invalid_event`; `'warn'` in the log and publish
   * it as it was given; `'off'`: nothing is validated. @default 'refuse'
   */
  validation?: CatalogOptions['validation'] | undefined
  /** When the circuit of a failing endpoint opens, is probed, and the endpoint is disabled. @default see each */
  circuit?: OptionsOf<CircuitOptions> | undefined
  /**
   * The workspace that receives the operational webhooks of all workspaces: `keepsend.endpoint.circuit_opened`,
   * `.recovered`, `.failing`, `.disabled` and `keepsend.delivery.failed`. Its endpoints subscribe to them by name or by
   * `keepsend.*`; `*` does not match them. @default no operational webhooks
   */
  operatorWorkspaceId?: string | undefined
  /**
   * Whether each workspace may get the operational webhooks about its own endpoints and deliveries: its endpoints that subscribe
   * to them by name, by `keepsend.endpoint.*` or by `keepsend.*`, except the endpoint that one is about. At most one a minute of
   * each type about an endpoint, with a count. @default false
   */
  workspaceNotifications?: boolean | undefined
  /**
   * The name of this process in `engine.workers`, with `history`: 1–64 characters of `A-Za-z0-9_.:-`. Each process needs its own.
   *
   * @default a random one for each engine; `cron` if the queue is not polled
   */
  workerId?: string | undefined
  /** Receives the log lines; {@link silentLogger} writes nothing. @default consoleLogger */
  logger?: Logger | undefined
  /** The `User-Agent` header of every attempt. @default 'Keepsend' */
  userAgent?: string | undefined
  /** Returns a number from 0 to 1, for jitter. @default Math.random */
  random?: (() => number) | undefined
  /** Returns milliseconds that never go back, for caches and durations. @default performance.now */
  monotonic?: (() => number) | undefined
}

/** Every option of {@link EngineOptions} by its name, for adapters that accept them and refuse unknown ones. */
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
  maxAgeMs: 'number',
  failedRetentionMs: 'number',
  idempotencyRetentionMs: 'number',
  auditRetentionMs: 'number',
  history: { [OR]: 'true or false' as const, ...HISTORY_OPTIONS },
  limits: LIMIT_OPTIONS,
  circuit: CIRCUIT_OPTIONS,
  catalog: 'object',
  validation: 'text',
  operatorWorkspaceId: 'text',
  workspaceNotifications: 'boolean',
  workerId: 'text',
  logger: 'object',
  userAgent: 'text',
  random: 'function',
  monotonic: 'function',
} as const satisfies OptionNames<EngineOptions>

// Standard Webhooks recommends a time-out of 15 to 30 seconds.
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
  idempotencyRetentionMs: IDEMPOTENCY_RETENTION_MS,
  validation: 'refuse',
  auditRetentionMs: 7_776_000_000,
  workspaceNotifications: false,
  userAgent: 'Keepsend',
  random: Math.random,
  monotonic: () => performance.now(),
} satisfies Partial<EngineOptions>

/** Checks the options and fills in the defaults. @throws {EngineError} `invalid_option`, naming option, bound and value */
export function readOptions(options: EngineOptions): WithDefaults<
  EngineOptions,
  typeof DEFAULTS & { logger: Logger }
> & {
  circuit: CircuitOptions
  history: HistoryOptions | undefined
  limits: Limits
  urlPolicy: UrlPolicy
  sender: Sender | undefined
  maxAgeMs: number
  failedRetentionMs: number
} {
  checkNames('createEngine', ENGINE_OPTION_NAMES, options)
  // Without this check a logger without these methods would silently lose every line.
  checkMethods('logger', options.logger, ['info', 'warn', 'error'])
  checkMethods('db', options.db, ['run', 'atomic'])
  checkMethods('queue', options.queue, ['send'])
  checkMethods('sender', options.sender, ['send'])
  const logger = options.development ? debugConsoleLogger : consoleLogger
  const whole = withDefaults(options, { ...DEFAULTS, logger })
  const history = readHistory(options.history, options.db.dialect.isBilled)
  const { deadlineMs, maxDeadlineMs, retrySchedule, development, sender } = whole
  const { maxAgeMs = history ? MAX_AGE_WITH_HISTORY_MS : DEFAULT_MAX_AGE_MS } = whole
  const { failedRetentionMs = maxAgeMs } = whole
  checkBounds('deadlineMs', deadlineMs, 500, MAX_DEADLINE_MS)
  checkBounds('maxDeadlineMs', maxDeadlineMs, deadlineMs, MAX_DEADLINE_MS)
  checkBounds('maxPauseMs', whole.maxPauseMs, 1000, 86_400_000)
  checkBounds('failedRetentionMs', failedRetentionMs, 0, Number.MAX_SAFE_INTEGER)
  checkBounds('idempotencyRetentionMs', whole.idempotencyRetentionMs, 60_000, 31_536_000_000)
  checkBounds('auditRetentionMs', whole.auditRetentionMs, 86_400_000, 315_360_000_000)
  if (retrySchedule.length > MAX_WAITS || !retrySchedule.every((wait) => wait >= 0 && wait <= MAX_WAIT_SECONDS)) {
    throw new EngineError(
      'invalid_option',
      `retrySchedule must hold at most ${MAX_WAITS} waits of 0 to ${MAX_WAIT_SECONDS} seconds; found ${JSON.stringify(retrySchedule)}`,
    )
  }
  checkCatalog(whole)
  checkPublicUrl(whole.publicUrl)
  checkWorkerId(whole.workerId)
  const longest = longestMs(retrySchedule)
  if (!(Number.isInteger(maxAgeMs) && maxAgeMs > longest && maxAgeMs <= MAX_AGE_MS)) {
    throw new EngineError(
      'invalid_option',
      `maxAgeMs must be an integer above ${longest}, the longest that the waits of retrySchedule can take, and at most ${MAX_AGE_MS}; found ${maxAgeMs}`,
    )
  }
  return {
    ...whole,
    maxAgeMs,
    failedRetentionMs,
    urlPolicy: commonPolicy(options),
    sender: development && sender ? loopbackSender(sender) : sender,
    circuit: circuitOptions(options.circuit),
    history,
    limits: readLimits(options.limits),
  }
}
