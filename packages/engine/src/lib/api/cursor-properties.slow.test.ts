import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EngineError } from '../errors.ts'
import cases from '../url-policy/parsing-cases.json' with { type: 'json' }
import { readCursor, toPage } from './page.ts'

const RUNS = 100_000

const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef-'.split('')), minLength: 1, maxLength: 40 })
const id = fc
  .tuple(fc.constantFrom('evt_', 'ep_'), hex, fc.option(hex))
  .map(([kind, own, endpoint]) => `${kind}${own}${kind === 'evt_' && endpoint !== null ? `.ep_${endpoint}` : ''}`)
const anything = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 10 }),
  fc
    .tuple(fc.constantFrom('evt_', 'ep_', ''), fc.string({ maxLength: 20 }))
    .map(([kind, rest]) => Buffer.from(kind + rest, 'latin1').toString('base64')),
  id.map((one) => btoa(one).slice(1)),
)

function read(cursor: string, prefix: 'evt_' | 'ep_'): string | undefined {
  try {
    return readCursor(cursor, prefix)
  } catch (error) {
    if (error instanceof EngineError && error.status === 400) return undefined
    throw error
  }
}

describe('any cursor', { timeout: 60_000 }, () => {
  it('of a page leads to its last row, on its own list and on no other', () => {
    const run = fc.check(
      fc.property(id, (last) => {
        const { cursor = '' } = toPage([{ id: last }, { id: 'more' }], 1)
        const [own, other] = last.startsWith('evt_') ? (['evt_', 'ep_'] as const) : (['ep_', 'evt_'] as const)
        if (read(cursor, own) !== last) throw new Error(`${last} became ${read(cursor, own)}`)
        if (read(cursor, other) !== undefined) throw new Error(`${last} is taken by the other list`)
      }),
      { numRuns: RUNS },
    )
    expect(run.failed, fc.defaultReportMessage(run)).toBe(false)
  })

  it('that is made up is an id of that list in plain characters, or 400', () => {
    let taken = 0
    fc.assert(
      fc.property(anything, (cursor) => {
        for (const prefix of ['evt_', 'ep_'] as const) {
          const found = read(cursor, prefix)
          if (found === undefined) continue
          taken++
          if (!found.startsWith(prefix) || !/^[A-Za-z0-9_.-]{1,140}$/.test(found)) throw new Error(`taken for ${found}`)
        }
      }),
      { numRuns: RUNS },
    )
    expect(taken).toBeGreaterThan(0)
    expect(taken).toBeLessThan(RUNS / 2)
  })

  it.each(cases.cursors)('%j of the list of events: %j', (cursor, wanted) => {
    expect(read(String(cursor), 'evt_') ?? null).toBe(wanted)
  })
})
