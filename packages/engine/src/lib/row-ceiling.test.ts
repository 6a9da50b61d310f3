import type { OutboxDatabase } from '@keepsend/outbox'
import { rowsAs } from '@keepsend/outbox/internal'
import { sqliteDialect } from '@keepsend/outbox/sqlite'
import { describe, expect, it } from 'vitest'
import { createRowCeilings } from './row-ceiling.ts'
import { readLimits } from './limits.ts'

/** The ceiling of waiting deliveries, on a database whose counts take `tookMs` and return `rows`. */
function ceiling(max: number) {
  const state = { now: 0, counts: 0, tookMs: 0, rows: 0 }
  const db: OutboxDatabase = {
    dialect: sqliteDialect,
    run() {
      state.counts++
      state.now += state.tookMs
      return rowsAs(Promise.resolve({ rows: [{ count: state.rows }], changes: 0 }))
    },
    atomic: () => Promise.reject(new Error('nothing is written')),
  }
  const logger = { info() {}, warn() {}, error() {} }
  const deps = { logger, monotonic: () => state.now, random: () => 0 }
  const { waiting } = createRowCeilings(db, readLimits({ waitingPerWorkspace: max }), deps)
  return { waiting, state }
}

describe('a ceiling', () => {
  it('returns without a promise while there is room, once the rows were counted', async () => {
    const { waiting, state } = ceiling(2)
    expect(waiting.check('w1')).toBeInstanceOf(Promise)
    await Promise.resolve(waiting.check('w1'))
    expect(waiting.check('w1')).toBeUndefined()
    waiting.added('w1', 2)
    await expect(waiting.check('w1')).rejects.toMatchObject({ code: 'too_many_waiting' })
    expect(state.counts).toBe(1)
  })

  it('spends at most a hundredth of the time on counts', async () => {
    const { waiting, state } = ceiling(2)
    state.tookMs = 300
    await waiting.check('w1')
    state.now = 30_299
    expect([waiting.check('w1'), state.counts]).toEqual([undefined, 1])
    state.now = 30_300
    await waiting.check('w1')
    expect(state.counts).toBe(2)
  })

  it('counts again before it refuses because of rows that were added more than a second ago', async () => {
    const { waiting, state } = ceiling(2)
    state.tookMs = 300
    await waiting.check('w1')
    waiting.added('w1', 2)
    state.now = 999
    await expect(waiting.check('w1')).rejects.toMatchObject({ code: 'too_many_waiting' })
    expect(state.counts).toBe(1)
    state.now = 1000
    await waiting.check('w1')
    expect(state.counts).toBe(2)
  })

  it('remembers at most 10,000 workspaces', async () => {
    const { waiting, state } = ceiling(2)
    for (let n = 0; n <= 10_000; n++) await waiting.check(`w${n}`)
    await waiting.check('w0')
    expect(state.counts).toBe(10_002)
  })
})
