import { DatabaseSync } from 'node:sqlite'
import { fromBetterSqlite, fromNodeSqlite } from '@keepsend/outbox/sqlite'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { everyOption, everyWrongValue, optionsWith } from '../../../test/options.ts'
import {
  type OutboxDatabase,
  OutboxError,
  type Statement,
  claimDueEvents,
  claimEvents,
  claimReadyEvents,
  cleanupOldEvents,
  cleanupPayloads,
  enqueueEvents,
  expireEvents,
  extendLease,
  failEvent,
  failHeldStatement,
  lineUpDueEvents,
  lookAtLanes,
  migrateOutbox,
  outboxStats,
  releaseEvents,
  replayEvents,
  rescheduleEvent,
  resumeStatement,
  settleEvents,
  sweepPendingEvents,
  toSql,
} from '../src/index.ts'
import { cancelStatement, createOptionChecks, giveUpStatement, retryNowStatement } from '../src/internal.ts'
import { OPTION_NAMES } from './option-names.ts'

const T = 1_790_000_000_000
const EVENT_ID = 'evt_01890a5d-ac96-774b-bcce-b302099a8057'
const OTHER_ID = 'evt_01890a5d-ac96-774b-bcce-b302099a8058'
const claim = { id: EVENT_ID, gen: 0 }
const LANE = { workspaceId: 'w', endpointId: '', count: 5 }

type Verb = keyof typeof OPTION_NAMES
type Call = (db: OutboxDatabase, options: object) => Promise<unknown>

const REQUIRED: Partial<Record<Verb, object>> = {
  'an event': { eventId: EVENT_ID, workspaceId: 'w', type: 'a.b', payload: '{}' },
  claimDueEvents: { limit: 5 },
  claimReadyEvents: { lanes: [LANE] },
  expireEvents: { maxAgeMs: 5 },
  'the filter of a replay': { ids: [EVENT_ID] },
  resumeStatement: { endpointId: 'ep_1', limit: 5 },
  cancelStatement: { eventId: EVENT_ID, workspaceId: 'w', limit: 5 },
  failHeldStatement: { endpointId: 'ep_1', error: 'gone', limit: 5 },
  failEvent: { error: 'e' },
  rescheduleEvent: { delayMs: 5 },
}

const CALLS: Record<Verb, Call> = {
  'an event': (db, options) =>
    enqueueEvents(db, [{ eventId: OTHER_ID, workspaceId: 'w', type: 'a.b', payload: '{}', ...options }]),
  fromBetterSqlite: async (_db, options) => {
    const connection = new Database(':memory:')
    await migrateOutbox(fromBetterSqlite(connection, options))
    return connection.pragma('busy_timeout')
  },
  fromNodeSqlite: async (_db, options) => {
    const connection = new DatabaseSync(':memory:')
    await migrateOutbox(fromNodeSqlite(connection, options))
    return connection.prepare('pragma busy_timeout').all()
  },
  claimDueEvents: (db, options) => claimDueEvents(db, { limit: 5, ...options }),
  claimEvents: (db, options) => claimEvents(db, [claim], options),
  claimReadyEvents: (db, options) => claimReadyEvents(db, { lanes: [LANE], ...options }),
  lineUpDueEvents: (db, options) => lineUpDueEvents(db, options),
  lookAtLanes: (db, options) => lookAtLanes(db, options),
  cleanupOldEvents: (db, options) => cleanupOldEvents(db, options),
  cleanupPayloads: (db, options) => cleanupPayloads(db, options),
  expireEvents: (db, options) => expireEvents(db, { maxAgeMs: 5, ...options }),
  cancelStatement: async (db, options) =>
    db.run(cancelStatement(db, { eventId: EVENT_ID, workspaceId: 'w', limit: 5, ...options })),
  failHeldStatement: async (db, options) =>
    db.run(failHeldStatement(db, { endpointId: 'ep_1', error: 'gone', limit: 5, ...options })),
  giveUpStatement: async (db, options) => db.run(giveUpStatement(claim, options)),
  retryNowStatement: async (db, options) => db.run(retryNowStatement(db, claim, options)),
  failEvent: (db, options) => failEvent(db, claim, { error: 'e', ...options }),
  rescheduleEvent: (db, options) => rescheduleEvent(db, claim, { delayMs: 5, ...options }),
  extendLease: (db, options) => extendLease(db, [claim], 60_000, options),
  outboxStats: (db, options) => outboxStats(db, options),
  releaseEvents: (db, options) => releaseEvents(db, [claim], options),
  replayEvents: (db, options) => replayEvents(db, { ids: [EVENT_ID] }, options),
  'the filter of a replay': (db, options) => replayEvents(db, { ids: [EVENT_ID], ...options }),
  resumeStatement: async (db, options) => db.run(resumeStatement(db, { endpointId: 'ep_1', limit: 5, ...options })),
  settleEvents: (db, options) => settleEvents(db, [{ settle: 'complete', claim }], options),
  sweepPendingEvents: (db, options) => sweepPendingEvents(db, options),
}

/** The statements that a verb runs on a database with one row, and its result, at a fixed time. */
async function observe(verb: Verb, options: object): Promise<unknown> {
  const connection = new Database(':memory:')
  const db = fromBetterSqlite(connection)
  await migrateOutbox(db)
  connection.exec(`drop view keepsend_clock; create view keepsend_clock as select ${T} as ms`)
  await enqueueEvents(db, [{ eventId: EVENT_ID, workspaceId: 'w', type: 'a.b', payload: '{}' }])
  const asked: Statement[] = []
  const watched: OutboxDatabase = {
    dialect: db.dialect,
    run<R extends object>(statement: Statement) {
      asked.push(statement)
      return db.run<R>(statement)
    },
    atomic: (statements) => {
      asked.push(...statements)
      return db.atomic(statements)
    },
  }
  const answer: unknown = JSON.parse(JSON.stringify(await CALLS[verb](watched, options)))
  connection.close()
  return { answer, asked: asked.map((statement) => toSql(statement, 'sqlite')) }
}

describe('options', () => {
  it.each(everyOption(OPTION_NAMES, REQUIRED))(
    'uses the default of every option given as undefined: $path of $owner',
    async ({ owner, path }) => {
      expect(await observe(owner, optionsWith(path, undefined))).toEqual(await observe(owner, {}))
    },
  )

  it('refuses a value of a wrong type by the name of its option, and does nothing', async () => {
    const untouched = { dialect: fromBetterSqlite(new Database(':memory:')).dialect } as OutboxDatabase
    const wrong = everyWrongValue(OPTION_NAMES)
    expect(wrong.length).toBeGreaterThan(300)
    for (const { owner, path, value } of wrong) {
      await expect(
        (async () => CALLS[owner](untouched, optionsWith(path, value)))(),
        `${path} of ${owner} as ${typeof value}`,
      ).rejects.toMatchObject({
        code: owner === 'an event' ? 'invalid_event' : 'invalid_option',
        message: expect.stringMatching(new RegExp(`^${path} must be .*; found `)),
      })
    }
  })

  it.each(Object.keys(CALLS) as Verb[])('refuses an unknown option by name, and does nothing: %s', async (verb) => {
    const untouched = { dialect: fromBetterSqlite(new Database(':memory:')).dialect } as OutboxDatabase
    const refused = expect.objectContaining({
      code: verb === 'an event' ? 'invalid_event' : 'invalid_option',
      message: expect.stringContaining(`${verb} has no option nwo`),
    })
    await expect(CALLS[verb](untouched, { nwo: 1 })).rejects.toEqual(refused)
  })
})

describe('an unknown name', () => {
  const { checkNames } = createOptionChecks((message) => new OutboxError('invalid_option', message))
  const table = {
    db: 'any',
    logger: 'any',
    engine: { urlPolicy: { allowHttp: 'boolean' }, circuit: { openMs: 'number' } },
  } as const
  const said = (options: object): string => {
    try {
      checkNames('createThing', table, options)
      return 'accepted'
    } catch (error) {
      return error instanceof OutboxError ? error.message : 'another error'
    }
  }

  it('is refused with the closest name', () => {
    expect(said({ loger: 1 })).toBe('createThing has no option loger; did you mean logger?')
    expect(said({ DB: 1 })).toBe('createThing has no option DB; did you mean db?')
    expect(said({ engine: { circuit: { openms: 1 } } })).toBe(
      'createThing has no option engine.circuit.openms; did you mean engine.circuit.openMs?',
    )
  })

  it('is refused with the place where it belongs', () => {
    expect(said({ urlPolicy: {} })).toBe('createThing has no option urlPolicy: it belongs in engine: { urlPolicy }')
    expect(said({ allowHttp: true })).toBe(
      'createThing has no option allowHttp: it belongs in engine: { urlPolicy: { allowHttp } }',
    )
    expect(said({ engine: { circuit: { logger: 1 } } })).toBe(
      'createThing has no option engine.circuit.logger: it belongs beside engine',
    )
  })

  it('is refused with all names if none is close', () => {
    expect(said({ colour: 1 })).toBe('createThing has no option colour; it has db, logger, engine')
  })

  it('includes the names that every object has, such as constructor', () => {
    expect(said({ constructor: 1 })).toBe('createThing has no option constructor; it has db, logger, engine')
  })

  it('is not looked up in a value that is no object of options', () => {
    expect(said(JSON.parse('null'))).toBe('createThing takes an object of options; found null')
    expect(said({ engine: undefined })).toBe('accepted')
  })
})
