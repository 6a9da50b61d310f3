import { type OutboxDatabase, OutboxError, type Statement, claimDueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import type { DeliveryOutcome, FinishedDelivery, SettleEachResult } from '../../index.ts'
import { type Rig, claimInLine, moves, rig } from '../../../test/rig.ts'

const DELIVERED: DeliveryOutcome = { kind: 'complete', httpStatus: 200 }
const RETRY: DeliveryOutcome = {
  kind: 'reschedule',
  delayMs: 60_000,
  deferral: false,
  error: 'HTTP 500',
  httpStatus: 500,
}
const DEAD: DeliveryOutcome = { kind: 'fail', error: 'HTTP 400', httpStatus: 400 }

/** Counts the transactions of a database; a test may throw before one runs, or after its commit. */
function faults() {
  const state = { tries: 0, before: (_number: number) => {}, after: (_number: number) => {} }
  async function watch<Result>(ask: () => Promise<Result>): Promise<Result> {
    const number = ++state.tries
    state.before(number)
    const result = await ask()
    state.after(number)
    return result
  }
  const wrap = (db: OutboxDatabase): OutboxDatabase => ({
    dialect: db.dialect,
    run: <R extends object>(statement: Statement) => watch(() => db.run<R>(statement)),
    atomic: (statements) => watch(() => db.atomic(statements)),
  })
  return { state, wrap }
}

/** Claims a row of each type and returns the claims with these outcomes, in the order of the rows. */
async function finished(types: string[], outcomes: DeliveryOutcome[] = []) {
  const { state, wrap } = faults()
  const made = await rig({ wrap })
  await made.addEndpoint()
  for (const type of types) await publish(made, type)
  const { claims } = await claimDueEvents(made.db, { limit: 100 })
  expect(claims.map(({ type }) => type)).toEqual(types)
  const group = claims.map((claim, index): FinishedDelivery => ({ claim, outcome: outcomes[index] ?? DELIVERED }))
  state.tries = 0
  return { ...made, group, claims, state }
}

async function publish({ engine }: Rig, type: string): Promise<void> {
  await engine.publish({ type, workspaceId: 'w1', data: {} })
}

/** From now on the database refuses every delete, or update, of such a row, and nothing else. */
async function refuse({ db, exec }: Rig, change: 'delete' | 'update', condition: string): Promise<void> {
  if (db.dialect.name === 'sqlite') {
    await exec(`create trigger refusing before ${change} on pending_events when ${condition}
      begin select raise(abort, 'not this row'); end`)
    return
  }
  await exec(`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'not this row'; end $$`)
  await exec(`create trigger refusing before ${change} on pending_events
    for each row when (${condition}) execute function refuse()`)
}

const settlesOf = ({ results }: SettleEachResult) => results.map(({ settle }) => settle)
const logOf = ({ log }: Rig, level: string) => log.entries.filter((entry) => entry.level === level)

describe('a worker’s settle', () => {
  it('settles the group and takes the next claim in one commit, with a result for each outcome in order', async () => {
    const made = await finished(['a', 'b', 'c'], [DELIVERED, RETRY, DEAD])
    await publish(made, 'next')
    const claim = await claimInLine(made, 10)
    made.state.tries = 0
    const settled = await made.engine.worker.settleEach(made.group, { claim })
    expect(settled.results).toEqual(made.group.map((one) => ({ finished: one, settle: 'settled' })))
    expect(settled.claimed.claims).toMatchObject([{ type: 'next', attempts: 1 }])
    expect([made.state.tries, settled.storageError, logOf(made, 'warn')]).toEqual([1, undefined, []])
  })

  it('returns lost for the one delivery that another worker owns, and settled for the others', async () => {
    const made = await finished(['a', 'b', 'c'])
    const [, second] = made.claims
    // As if its lease had expired.
    await made.exec('update pending_events set due_at = 1 where id = ?', second?.id ?? '')
    const { claims } = await claimDueEvents(made.db, { limit: 10 })
    expect(claims.map(({ id }) => id)).toEqual([second?.id])
    expect(settlesOf(await made.engine.worker.settleEach(made.group))).toEqual(['settled', 'lost', 'settled'])
    expect(await made.rows()).toMatchObject([{ id: second?.id, status: 'pending', gen: claims[0]?.gen }])
    expect(logOf(made, 'warn')).toMatchObject([{ fields: { deliveryId: second?.id } }])
  })

  it('that a trigger refuses for one row settles every other row, and returns refused for that one', async () => {
    const made = await finished(['a', 'a', 'poison', 'a', 'a'], [DELIVERED, RETRY])
    await refuse(made, 'delete', "old.event_type = 'poison'")
    const settled = await made.engine.worker.settleEach(made.group, { claim: { due: 10 } })
    expect(settlesOf(settled)).toEqual(['settled', 'settled', 'refused', 'settled', 'settled'])
    expect(settled.results.map((one) => one.finished)).toEqual(made.group)
    expect(settled).toMatchObject({ claimed: { claims: [], exhausted: [] }, storageError: undefined })
    const poison = made.claims[2]
    expect(await made.rows()).toEqual([
      expect.objectContaining({ status: 'pending', attempts: 1 }),
      expect.objectContaining(poison),
    ])
    // The group with the claim, the group alone, and each row.
    expect(made.state.tries).toBe(2 + 5)
    expect(logOf(made, 'error')).toMatchObject([
      { fields: { deliveryId: poison?.id, outcome: 'complete', error: 'not this row' } },
    ])
  })

  it('that the storage refuses leaves every row unchanged and unsettled: it is tried twice, and not row by row', async () => {
    const made = await finished(['a', 'b', 'c'], [DELIVERED, RETRY, DEAD])
    await made.readOnly(true)
    const settled = await made.engine.worker.settleEach(made.group, { claim: { due: 10 } })
    expect(settlesOf(settled)).toEqual(['unsettled', 'unsettled', 'unsettled'])
    expect(settled).toMatchObject({
      claimed: { claims: [], exhausted: [] },
      storageError: { name: 'OutboxError', code: 'not_accepted' },
    })
    expect([made.state.tries, await made.rows()]).toMatchObject([2, made.claims])

    await made.readOnly(false)
    expect(settlesOf(await made.engine.worker.settleEach(made.group))).toEqual(['settled', 'settled', 'settled'])
  })

  it('whose commit lost its answer returns lost: the second try writes nothing twice', async () => {
    const made = await finished(['a', 'b', 'c'], [DELIVERED, RETRY, DEAD])
    made.state.after = (number) => {
      if (number === 1) throw new OutboxError('commit_unconfirmed', 'the connection broke')
    }
    const settled = await made.engine.worker.settleEach(made.group)
    const written = await made.rows()
    expect([settlesOf(settled), settled.storageError, made.state.tries]).toEqual([
      ['lost', 'lost', 'lost'],
      undefined,
      2,
    ])
    expect(written).toMatchObject([
      { type: 'b', status: 'pending', attempts: 1, lastStatus: 500 },
      { type: 'c', status: 'failed', attempts: 1, lastStatus: 400 },
    ])
    // The claim, and the settle of the retry once.
    expect(written.map(moves)).toEqual([2, 1])
  })

  it('settles the outcomes without the claim if only the claim fails', async () => {
    const made = await finished(['a', 'b'], [DELIVERED, RETRY])
    await publish(made, 'next')
    await refuse(made, 'update', 'new.claimed_at is not null and old.claimed_at is null')
    const claim = await claimInLine(made, 10)
    made.state.tries = 0
    const settled = await made.engine.worker.settleEach(made.group, { claim })
    expect([settlesOf(settled), settled.claimed.claims, made.state.tries]).toEqual([['settled', 'settled'], [], 2])
    expect((await made.rows()).map(({ type, attempts, claimedAt }) => [type, attempts, claimedAt])).toEqual([
      ['b', 1, null],
      ['next', 0, null],
    ])
  })

  it('with only a claim rejects with the error of the database', async () => {
    const made = await finished([])
    await publish(made, 'next')
    await refuse(made, 'update', 'new.claimed_at is not null')
    const claim = await claimInLine(made, 10)
    made.state.tries = 0
    await expect(made.engine.worker.settleEach([], { claim })).rejects.toThrow('not this row')
    expect(made.state.tries).toBe(1)
  })

  it.each<[string, object]>([
    ['a name that is not known', { claims: { due: 10 } }],
    ['a limit out of bounds', { claim: { due: 5000 } }],
  ])(
    'with %s rejects, and writes nothing: a mistake of the caller is not an error of the storage',
    async (_what, next) => {
      const made = await finished(['a', 'b'])
      await expect(made.engine.worker.settleEach(made.group, next)).rejects.toMatchObject({ code: 'invalid_option' })
      expect(await made.rows()).toMatchObject(made.claims)
      expect(logOf(made, 'warn')).toEqual([])
    },
  )

  it('whose storage fails in the middle of row by row leaves the other rows unsettled, and tries no more', async () => {
    const made = await finished(['a', 'poison', 'b', 'c'])
    await refuse(made, 'delete', "old.event_type = 'poison'")
    const full = new OutboxError('not_accepted', 'the disk is full')
    made.state.before = (number) => {
      if (number === 4) throw full
    }
    const settled = await made.engine.worker.settleEach(made.group)
    expect(settlesOf(settled)).toEqual(['settled', 'refused', 'unsettled', 'unsettled'])
    expect([made.state.tries, settled.storageError]).toEqual([4, full])
    expect(await made.rows()).toMatchObject(made.claims.slice(1))
  })
})
