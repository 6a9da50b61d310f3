// Failed attempts are counted in problems, in the transaction of their settle. On each database.
import { describe, expect, it } from 'vitest'
import { type Rig, rig } from './rig.ts'
import { EVENT, HOUR_MS, REFUSED, TIMEOUT, attempted, countsOf, world } from './problems-world.ts'

/** From now on the database refuses problems with this status, and nothing else. */
async function refuse({ db, exec }: Rig, status: number): Promise<void> {
  if (db.dialect.name === 'sqlite') {
    await exec(`create trigger refusing before insert on keepsend_problems when new.http_status = ${status}
      begin select raise(abort, 'not this problem'); end`)
    return
  }
  await exec(`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'not this problem'; end $$`)
  await exec(`create trigger refusing before insert on keepsend_problems
    for each row when (new.http_status = ${status}) execute function refuse()`)
}

describe('problems', () => {
  it('count failed attempts by endpoint, class and status, and the deliveries that had another error before', async () => {
    const made = await world({ a: [500, 500, 503, 500, 404, 500, TIMEOUT], b: [REFUSED, TIMEOUT, TIMEOUT, 200, 500] })
    const [a, b] = [await made.addAt('a'), await made.addAt('b')]
    await made.publish(3)
    await made.attempt(4)
    expect(countsOf(await made.list())).toEqual({
      [`prb_${a}.http_5xx.500`]: { state: 'open', attempts: 4, deliveries: 3, opened: 1 },
      [`prb_${a}.http_5xx.503`]: { state: 'open', attempts: 1, deliveries: 1, opened: 1 },
      [`prb_${a}.http_4xx.404`]: { state: 'open', attempts: 1, deliveries: 1, opened: 1 },
      [`prb_${a}.timeout.0`]: { state: 'open', attempts: 1, deliveries: 1, opened: 1 },
      [`prb_${b}.connect.0`]: { state: 'open', attempts: 1, deliveries: 1, opened: 1 },
      [`prb_${b}.timeout.0`]: { state: 'open', attempts: 2, deliveries: 2, opened: 1 },
      [`prb_${b}.http_5xx.500`]: { state: 'open', attempts: 1, deliveries: 1, opened: 1 },
    })
    const { rows } = await made.engine.attempts.list('w1', { limit: 100, outcome: 'unsuccessful' })
    expect(rows).toHaveLength(11)
  })

  it('have the text and the delivery of the attempt that ended last, and the times of the first and the last', async () => {
    const made = await world({
      a: [
        { status: 500, body: 'one' },
        { status: 500, body: 'two' },
      ],
    })
    await made.addAt('a')
    await made.publish(2)
    const [first, second] = await attempted(made)
    await made.engine.worker.settle([second!, first!])
    expect(await made.only()).toMatchObject({
      workspaceId: 'w1',
      lastError: first!.outcome.kind === 'reschedule' && first!.outcome.error,
      lastDeliveryId: first!.claim.id,
      httpStatus: 500,
      attempts: 2,
    })
    const { firstSeenAt, lastSeenAt, stateSince } = await made.only()
    expect([lastSeenAt, stateSince]).toEqual([firstSeenAt, firstSeenAt])
    made.answers['a'] = [500]
    await made.attempt()
    const after = await made.only()
    expect(after).toMatchObject({ firstSeenAt, stateSince, attempts: 3, deliveries: 2 })
    expect(after.lastSeenAt).toBeGreaterThanOrEqual(lastSeenAt + 60_000)
  })

  it('were never last seen before they were first seen, also if the clock was set back', async () => {
    const made = await world({ a: [500, 500, 500, 500] })
    await made.addAt('a')
    await made.publish(4)
    const claims = await attempted(made)
    await made.later(HOUR_MS)
    await made.engine.worker.settle(claims.slice(0, 1))
    const { id, firstSeenAt } = await made.only()
    await made.later(-HOUR_MS)
    await made.engine.worker.settle(claims.slice(1, 2))
    expect(await made.only()).toMatchObject({ firstSeenAt, lastSeenAt: firstSeenAt, attempts: 2 })
    await made.later(HOUR_MS + 60_000)
    await made.engine.worker.settle(claims.slice(2, 3))
    expect((await made.only()).lastSeenAt).toBeGreaterThan(firstSeenAt)
    // One that opens again is seen for the first time then, whatever the clock said before.
    await made.engine.problems.resolve('w1', id)
    await made.later(-2 * HOUR_MS)
    await made.engine.worker.settle(claims.slice(3))
    const { opened, ...again } = await made.only()
    expect(opened).toBe(2)
    expect(again.lastSeenAt).toBe(again.firstSeenAt)
  })

  it('and their attempts are recorded whatever text a sender gives as its reason', async () => {
    const reason = 'net\0\ud800' as 'network'
    const answer = { kind: 'error', reason, message: 'bad \0 text' } as const
    const made = await world({ a: [answer, answer] })
    await made.addAt('a')
    await made.publish(1)
    await made.attempt(2)
    expect(await made.only()).toMatchObject({
      errorClass: 'other',
      attempts: 2,
      deliveries: 1,
      lastError: 'net\ufffd: bad  text',
    })
    const { rows } = await made.engine.attempts.list('w1', { limit: 10 })
    expect(rows).toMatchObject([{ error: 'net\ufffd: bad  text' }, { error: 'net\ufffd: bad  text' }])
  })

  it('count a replay that fails with the same error as an attempt, and not as another delivery', async () => {
    const made = await world({ a: [400, 400, 422] })
    const a = await made.addAt('a')
    await made.publish(1)
    await made.attempt()
    const [row] = await made.rows()
    for (let n = 0; n < 2; n++) {
      await made.engine.deliveries.replay('w1', row!.id)
      await made.attempt()
    }
    expect(countsOf(await made.list())).toEqual({
      [`prb_${a}.http_4xx.400`]: { state: 'open', attempts: 2, deliveries: 1, opened: 1 },
      [`prb_${a}.http_4xx.422`]: { state: 'open', attempts: 1, deliveries: 1, opened: 1 },
    })
  })

  it('count no success, no wait that the receiver asked for, no test event, and nothing where no attempt was made', async () => {
    const made = await world(
      { a: [200, { status: 429, headers: { 'retry-after': '1' } }, 500] },
      { maxAgeMs: 400_000_000 },
    )
    const a = await made.addAt('a')
    await made.publish(1)
    await made.attempt()
    await made.publish(1)
    await made.attempt()
    await made.engine.endpoints.resume('w1', a)
    await made.engine.publishTest('w1', a)
    await made.exec(`update pending_events set created_at = 1 where event_type <> 'test'`)
    await made.attempt()
    expect(await made.rows()).toMatchObject([{ lastError: expect.stringContaining('expired') }, { lastStatus: 500 }])
    expect(await made.list()).toEqual([])
  })

  it('are not counted by a settle that lost its claim, and are by the others of its group', async () => {
    const made = await world({ a: [500, 500], b: [503] })
    const [a] = [await made.addAt('a'), await made.addAt('b')]
    await made.publish(1)
    await made.engine.publish({ ...EVENT, type: 'other' })
    const group = await attempted(made)
    const lost = group.find(({ claim }) => !claim.id.endsWith(a))
    Object.assign(lost!, { claim: { ...lost!.claim, gen: lost!.claim.gen - 1 } })
    const settled = await made.engine.worker.settle(group)
    expect(settled.lost).toEqual([lost!.claim])
    expect(countsOf(await made.list())).toEqual({
      [`prb_${a}.http_5xx.500`]: { state: 'open', attempts: 2, deliveries: 2, opened: 1 },
    })
    await made.engine.worker.settle(group)
    expect((await made.only()).attempts).toBe(2)
  })

  it('are counted ten in a settle, those whose attempts ended first; a later settle counts the others', async () => {
    const statuses = Array.from({ length: 12 }, (_, n) => 500 + n)
    const made = await world({ a: [...statuses] })
    await made.addAt('a')
    await made.publish(12)
    const group = await attempted(made)
    await made.engine.worker.settle(group.toReversed())
    const found = async () =>
      (await made.list()).map(({ httpStatus }) => httpStatus ?? 0).toSorted((one, other) => one - other)
    expect(await found()).toEqual(statuses.slice(2))
    made.answers['a'] = [500, 501]
    await made.publish(2)
    await made.attempt()
    expect(await found()).toEqual(statuses)
    expect((await made.list()).map(({ attempts }) => attempts)).toEqual(statuses.map(() => 1))
  })

  it('that the database refuses cost no delivery', async () => {
    const made = await world({ a: [500, 503, 500] })
    const a = await made.addAt('a')
    await made.publish(4)
    await refuse(made, 503)
    const { results } = await made.engine.worker.settleEach(await attempted(made))
    expect(results.map(({ settle }) => settle)).toEqual(['settled', 'settled', 'settled', 'settled'])
    expect(countsOf(await made.list())).toEqual({
      [`prb_${a}.http_5xx.500`]: { state: 'open', attempts: 2, deliveries: 2, opened: 1 },
    })
    const statuses = (await made.rows()).map(({ lastStatus }) => lastStatus ?? 0)
    expect(statuses.toSorted((one, other) => one - other)).toEqual([500, 500, 503])
    expect(made.log.entries.map(({ message }) => message)).toContain(
      'failed to record an attempt; its outcome was recorded',
    )
  })

  it('of a deleted endpoint are deleted with it, and a late settle makes none', async () => {
    const made = await world({ a: [500, 500], b: [500, 500] })
    const [a, b] = [await made.addAt('a'), await made.addAt('b')]
    await made.publish(1)
    await made.attempt()
    await made.later(60_000)
    const late = await attempted(made)
    await made.engine.endpoints.delete('w1', a)
    const { lost } = await made.engine.worker.settle(late)
    expect(lost).toEqual([])
    expect(countsOf(await made.list())).toEqual({
      [`prb_${b}.http_5xx.500`]: { state: 'open', attempts: 2, deliveries: 1, opened: 1 },
    })
    expect(await made.count('keepsend_problems')).toBe(1)
  })

  it('are not counted without history, and a list says so', async () => {
    const made = await rig({ answer: () => 500 })
    await made.addEndpoint()
    await made.engine.publish(EVENT)
    await made.work()
    expect(await made.count('keepsend_problems')).toBe(0)
    await expect(made.engine.problems.list('w1', { limit: 1 })).rejects.toMatchObject({ code: 'not_retained' })
    await expect(made.engine.problems.resolve('w1', 'prb_ep_1.dns.0')).rejects.toMatchObject({ code: 'not_retained' })
  })

  it('that were not seen for the retention of the history are deleted by maintenance, and not listed before', async () => {
    const made = await world({ a: [500], b: [200, 503] }, { history: { retentionMs: HOUR_MS }, retrySchedule: [] })
    await made.addAt('a')
    await made.addAt('b')
    await made.publish(1)
    await made.attempt()
    await made.later(HOUR_MS)
    await made.publish(1)
    await made.attempt()
    expect(await made.list()).toMatchObject([{ httpStatus: 503 }])
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedProblems: 1, more: false })
    expect(await made.count('keepsend_problems')).toBe(1)
  })
})
