import { type SqliteDriver, migrate, openSqlite } from '@keepsend/adapter-node'
import { type Engine, type EngineOptions, type EventCatalog, createEngine, createKeyRing } from '@keepsend/engine'
import { ENGINE_OPTION_NAMES } from '@keepsend/engine/internal'
import type { OutboxDatabase } from '@keepsend/outbox'
import { type OptionNames, type OptionTable, withDefaults } from '@keepsend/outbox/internal'
import { type LogLine, collectLines } from './collected-log.ts'
import { type DeliverAll, MAX_MS, createDeliverAll } from './deliver-all.ts'
import { TestingError, checkBounds, checkNames } from './errors.ts'
import { type FakeReceiver, createReceiver } from './fake-receiver.ts'
import { type OwnTransaction, inTransaction } from './own-transaction.ts'
import { type PublishedEvent, type PublishedFilter, listPublished, newestPayload } from './published.ts'
import { VirtualClock, onClock } from './virtual-clock.ts'

// The kit sets these itself.
type OwnPart = 'db' | 'queue' | 'sender' | 'secrets' | 'monotonic'

/** Every option of `createEngine`, except those that the kit sets itself. */
export interface TestEngineOptions<Catalog extends EventCatalog = EventCatalog> extends Omit<
  EngineOptions<Catalog>,
  OwnPart
> {
  /**
   * A database with Keepsend's tables, which stays open; or a connection on which the test has begun a transaction, whose
   * rollback leaves nothing. @default a database in memory
   */
  db?: OutboxDatabase | OwnTransaction | undefined
  /** The library of the database in memory: `better-sqlite3` or `node:sqlite`. @default 'better-sqlite3' */
  driver?: SqliteDriver | undefined
  /** @default a key ring with a key that everybody knows: pass your own for a database that has secrets */
  secrets?: EngineOptions['secrets'] | undefined
  /** For jitter. @default a function that returns 0: no wait is longer than its schedule says */
  random?: (() => number) | undefined
  /** `events` are always recorded. @default retained for two years of virtual time */
  history?: EngineOptions['history']
  /** Receives the lines beside {@link TestEngine.lines}. @default nothing */
  logger?: EngineOptions['logger']
}

const { queue: _queue, sender: _sender, monotonic: _monotonic, ...engineOptions } = ENGINE_OPTION_NAMES

export const TEST_ENGINE_OPTIONS: OptionTable = {
  ...engineOptions,
  db: 'any',
  driver: 'text',
} satisfies OptionNames<TestEngineOptions>

/** An engine whose deliveries reach a receiver in memory, in virtual time. */
export interface TestEngine<Catalog extends EventCatalog = EventCatalog> extends Engine<Catalog>, AsyncDisposable {
  /** The receiver of all endpoints, whatever their URL. */
  readonly receiver: FakeReceiver
  /** The lines of the log, of every level. */
  readonly lines: readonly LogLine[]
  /**
   * Lists the events that were published since the engine was created, in order, also those that no endpoint subscribes to. They
   * are read from the database: a publish that was rolled back is not listed, and one in an open transaction is if `db` sees it.
   */
  published(filter?: PublishedFilter): Promise<PublishedEvent[]>
  /**
   * Delivers everything that is due in the database, and moves virtual time on to each retry, the end of each pause and each
   * probe, until everything is settled or held for a person. Takes no real time.
   *
   * @throws {TestingError} `not_settled` if deliveries still wait after `maxAttempts`
   */
  deliverAll: DeliverAll
  /** The virtual time, ms since the epoch. It begins at the database's time and stands still between calls of the kit. */
  now(): number
  /** Moves virtual time by 0–31,536,000,000 ms (a year). Delivers nothing. */
  advance(ms: number): void
  /** Closes the database in memory; does nothing to one that was given. A second call does nothing. */
  close(): Promise<void>
}

/**
 * Creates an engine for tests: `createEngine` with a database in memory or your own, virtual time, and a receiver in place of the
 * network.
 *
 * @throws {TestingError} `invalid_option`; {@link EngineError} `invalid_option` for options of the engine
 * @throws {OutboxError} `not_migrated` if the given database has no tables of Keepsend's
 * @example
 * await using engine = await createTestEngine()
 * await createApp(engine).request('/messages', { method: 'POST', body: '{"text":"hi"}' })
 * await expect(engine).toHavePublished('message.created', { text: 'hi' })
 */
export async function createTestEngine<C extends EventCatalog = EventCatalog>(
  options: TestEngineOptions<C> = {},
): Promise<TestEngine<C>> {
  checkNames('createTestEngine', TEST_ENGINE_OPTIONS, options)
  const { db: given, driver, history, logger: to, ...rest } = options
  const recorded = withEvents(history)
  const { db: direct, close } = await open(given, driver)
  try {
    const clock = await VirtualClock.at(direct)
    const db = onClock(direct, clock)
    const afterPayload = await newestPayload(db)
    const { logger, lines } = collectLines(to)
    const { receiver, sender, received, attempting, throwFailure } = createReceiver({
      now: () => clock.now,
      secretsOf: ({ workspaceId, endpointId }) => engine.endpoints.secrets(workspaceId, endpointId),
    })
    const own = { db, queue: { send: refuse }, sender, logger, history: recorded, monotonic: () => clock.monotonic }
    const created = createEngine<C>({ ...withDefaults(rest, { secrets: KNOWN_KEYS, random: () => 0 }), ...own })
    const { worker } = created
    const engine: Engine<C> = {
      ...created,
      worker: { ...worker, deliver: (event, ...how) => attempting(event, () => worker.deliver(event, ...how)) },
    }
    return {
      ...engine,
      receiver,
      lines,
      published: (filter) => listPublished(db, afterPayload, filter),
      deliverAll: createDeliverAll({ engine, db, clock, received, throwFailure }),
      now: () => clock.now,
      advance(ms) {
        checkBounds('ms', ms, 0, MAX_MS)
        clock.moveTo(clock.now + ms)
      },
      close,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

// A test must not depend on a file of secrets, and its database must not depend on a random key.
const KNOWN_KEYS = createKeyRing([{ id: 'test', key: Buffer.alloc(32, 'keepsend').toString('base64') }])

const TWO_YEARS_MS = 63_072_000_000

function withEvents(history: TestEngineOptions['history'] = true): TestEngineOptions['history'] {
  if (history === false || (history !== true && history.events === false)) {
    throw new TestingError(
      'invalid_option',
      'history must record events, which published() reads; found history or history.events false',
    )
  }
  return { ...withDefaults(history === true ? {} : history, { retentionMs: TWO_YEARS_MS }), events: true }
}

/** Rows need no message: `deliverAll` finds them. An event without rows, which the database refused, is lost. */
async function refuse({ outboxId }: { outboxId?: string | undefined }): Promise<void> {
  if (outboxId === undefined) throw new Error('the database refused the event')
}

async function open(
  given: TestEngineOptions['db'],
  driver: SqliteDriver | undefined,
): Promise<{ db: OutboxDatabase; close: () => Promise<void> }> {
  if (given !== undefined) {
    // `in` below needs an object; a function may be that of postgres.js.
    if (Object(given) !== given)
      throw new TestingError('invalid_option', `db must be a database; found ${typeof given}`)
    if (driver !== undefined) {
      throw new TestingError(
        'invalid_option',
        'driver is for the database in memory; found db too: leave one of them out',
      )
    }
    return { db: isDatabase(given) ? given : inTransaction(given), close: async () => {} }
  }
  const db = driver === 'node:sqlite' ? openSqlite(':memory:', { driver }) : openSqlite(':memory:', { driver })
  try {
    await migrate(db)
  } catch (error) {
    db.close()
    throw error
  }
  return { db, close: async () => db.close() }
}

function isDatabase(given: OutboxDatabase | OwnTransaction): given is OutboxDatabase {
  return 'atomic' in given
}
