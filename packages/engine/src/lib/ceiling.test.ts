import { type OutboxDatabase } from '@keepsend/outbox'
import { sqliteDialect } from '@keepsend/outbox/sqlite'
import { describe, expect, it } from 'vitest'
import { createCeilings } from './ceiling.ts'
import { readLimits } from './limits.ts'

/** The ceiling of what waits, above a database whose counts take `tookMs` and come to `rows`. */
function ceiling(max: number) {
  const state = { now: 0, counts: 0, tookMs: 0, rows: 0 }
  const db = {
    dialect: sqliteDialect,
    run() {
      state.counts++
      state.now += state.tookMs
      return Promise.resolve({ rows: [{ count: state.rows }], changes: 0 })
    },
    atomic: () => Promise.reject(new Error('nothing is written')),
  } as OutboxDatabase
  const logger = { info() {}, warn() {}, error() {} }
  const deps = { logger, monotonic: () => state.now, random: () => 0 }
  const { waiting } = createCeilings(db, readLimits({ waitingPerWorkspace: max }), deps)
  return {
    check: (workspaceId: string) => waiting.check(workspaceId),
    added: (workspaceId: string, rows: number) => waiting.added(workspaceId, rows),
    state,
  }
}

describe('a ceiling', () => {
  it('does not make wait whoever has room, once the rows were counted', async () => {
    const { check, added, state } = ceiling(2)
    expect(check('w1')).toBeInstanceOf(Promise)
    await Promise.resolve(check('w1'))
    expect(check('w1')).toBeUndefined()
    added('w1', 2)
    await expect(check('w1')).rejects.toMatchObject({ code: 'too_many_waiting' })
    expect(state.counts).toBe(1)
  })

  it('spends a hundredth of the time on counts at most', async () => {
    const { check, state } = ceiling(2)
    state.tookMs = 300
    await check('w1')
    state.now = 30_299
    expect([check('w1'), state.counts]).toEqual([undefined, 1])
    state.now = 30_300
    await check('w1')
    expect(state.counts).toBe(2)
  })

  it('counts again before it refuses for what was added more than a second ago', async () => {
    const { check, added, state } = ceiling(2)
    state.tookMs = 300
    await check('w1')
    added('w1', 2)
    state.now = 999
    await expect(check('w1')).rejects.toMatchObject({ code: 'too_many_waiting' })
    expect(state.counts).toBe(1)
    state.now = 1000
    await check('w1')
    expect(state.counts).toBe(2)
  })

  it('remembers at most 10,000 workspaces', async () => {
    const { check, state } = ceiling(2)
    for (let n = 0; n <= 10_000; n++) await check(`w${n}`)
    await check('w0')
    expect(state.counts).toBe(10_002)
  })
})
