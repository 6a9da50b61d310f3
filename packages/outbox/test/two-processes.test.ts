import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  type OutboxDatabase,
  claimDueEvents,
  completeEvent,
  enqueueEvents,
  migrateOutbox,
  newEventId,
  outboxStats,
  settleEvents,
  sweepPendingEvents,
} from '../src/index.ts'
import { fromBetterSqlite } from '../src/sqlite.ts'
import { outboxContract } from '../src/testing.ts'
import { openFile, temporaryFolder } from './open.ts'
import { type Rival, startRival } from './rival.ts'

const ROWS = 500

// The two processes wait for each other's commits on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let rival: Rival
const folder = temporaryFolder()
let files = 0

beforeAll(async () => {
  rival = await startRival()
})

afterAll(async () => {
  await rival.stop()
  folder.remove()
})

async function openBoth() {
  const path = folder.file(`${++files}.db`)
  const connection = openFile(path)
  // A commit per event-loop tick: with microtasks alone this process would finish before it received anything from the
  // other.
  const db = fromBetterSqlite(connection, { defer: setImmediate })
  await migrateOutbox(db)
  const other = await rival.open(path)
  const close = async () => {
    await other.close()
    connection.close()
  }
  return { db, rival: other.db, close }
}

outboxContract('SQLite in a file, with a second process', openBoth)

type Take = (db: OutboxDatabase) => Promise<string[]>

/**
 * Inserts 500 rows; in each round two callers of each process claim concurrently, until no rows are left. Returns the
 * ids that each process got.
 */
async function race(take: Take, due: 'now' | 'dispatched' = 'now'): Promise<{ mine: string[]; theirs: string[] }> {
  const { db, rival: other, close } = await openBoth()
  const ids = Array.from({ length: ROWS }, newEventId)
  await enqueueEvents(
    db,
    ids.map((eventId) => ({ eventId, workspaceId: 'w', type: 't', payload: '{}', due })),
  )
  const [mine, theirs]: [string[], string[]] = [[], []]
  for (let round = 0, found = 1; found > 0; round++) {
    expect(round).toBeLessThan(ROWS)
    const taken = await Promise.all([other, db, other, db].map(take))
    for (const [caller, some] of taken.entries()) (caller % 2 ? mine : theirs).push(...some)
    found = taken.flat().length
  }
  expect([...mine, ...theirs].sort()).toEqual(ids.sort())
  await close()
  return { mine, theirs }
}

/** Claims and settles, each settle with the next claim, until nothing is due. */
async function settleAll(one: OutboxDatabase): Promise<number> {
  let settled = 0
  let { claims } = await claimDueEvents(one, { limit: 10 })
  while (claims.length > 0) {
    const outcomes = claims.map((claim) => ({ settle: 'complete', claim }) as const)
    const { lost, claimed } = await settleEvents(one, outcomes, {
      claim: { lanes: [{ workspaceId: 'w', endpointId: '', count: 10 }] },
    })
    settled += claims.length - lost.length
    claims = claimed.claims
  }
  return settled
}

describe('two processes that race over 500 rows', () => {
  it('claim every row exactly once, and both get some', async () => {
    const { mine, theirs } = await race(async (db) =>
      (await claimDueEvents(db, { limit: 7 })).claims.map(({ id }) => id),
    )
    expect(Math.min(mine.length, theirs.length)).toBeGreaterThan(0)
  })

  it('sweep every row exactly once, and both get some', async () => {
    const { mine, theirs } = await race(async (db) =>
      (await sweepPendingEvents(db, { limit: 7 })).events.map(({ id }) => id),
    )
    expect(Math.min(mine.length, theirs.length)).toBeGreaterThan(0)
  })

  it('sweep every lost first delivery exactly once, and both get some', async () => {
    const now = Date.now() + 300_000
    const sweep = async (db: OutboxDatabase) =>
      (await sweepPendingEvents(db, { limit: 14, now })).events.map(({ id }) => id)
    const { mine, theirs } = await race(sweep, 'dispatched')
    expect(Math.min(mine.length, theirs.length)).toBeGreaterThan(0)
  })

  it('settle every row exactly once when they claim and settle in one commit, and leave none', async () => {
    const { db, rival: other, close } = await openBoth()
    await enqueueEvents(
      db,
      Array.from({ length: ROWS }, () => ({ eventId: newEventId(), workspaceId: 'w', type: 't', payload: '{}' })),
    )
    const settled = await Promise.all([settleAll(db), settleAll(other), settleAll(db), settleAll(other)])
    expect(settled.reduce((sum, one) => sum + one, 0)).toBe(ROWS)
    expect(await outboxStats(other)).toMatchObject({ due: 0, inFlight: 0, scheduled: 0, failed: 0 })
    await close()
  })

  it('settle one claim: one wins, the other is lost', async () => {
    const { db, rival: other, close } = await openBoth()
    await enqueueEvents(db, [{ eventId: newEventId(), workspaceId: 'w', type: 't', payload: '{}' }])
    const { claims } = await claimDueEvents(db, { limit: 1 })
    const claim = claims[0] ?? { id: '', gen: 0 }
    expect((await Promise.all([completeEvent(db, claim), completeEvent(other, claim)])).sort()).toEqual(['lost', 'ok'])
    await close()
  })
})

describe('two processes that migrate', () => {
  it('apply each migration once to a fresh file', async () => {
    const path = folder.file('fresh.db')
    const connection = openFile(path)
    const other = await rival.open(path)
    const db = fromBetterSqlite(connection)
    const applied = await Promise.all([
      migrateOutbox(db),
      migrateOutbox(other.db),
      migrateOutbox(db),
      migrateOutbox(other.db),
    ])
    expect(applied.flat()).toEqual(['outbox/0001_pending_events'])
    expect(connection.pragma('integrity_check')).toEqual([{ integrity_check: 'ok' }])
    await other.close()
    connection.close()
  })
})
