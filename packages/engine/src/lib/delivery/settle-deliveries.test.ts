import { type Claim, claimDueEvents, enqueueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type Answer, LATER, type Rig, claimInLine, rig } from '../../../test/rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }

/** Two endpoints, `good` and `bad` by the name in their URLs. */
async function pair(bad: (attempt: number) => Answer, options: Parameters<typeof rig>[0] = {}) {
  let attempts = 0
  const made = await rig({ answer: ({ url }) => (url.includes('bad') ? bad(++attempts) : 200), ...options })
  const ids = {
    good: (await made.addEndpoint({ url: 'https://good.example.com/' })).id,
    bad: (await made.addEndpoint({ url: 'https://bad.example.com/' })).id,
  }
  const posts = (name: string) => made.sender.requests.filter(({ url }) => url.includes(name)).length
  return { ...made, ids, posts }
}

async function claimOne({ db }: Rig): Promise<Claim> {
  const { claims } = await claimDueEvents(db, { limit: 1 })
  expect(claims).toHaveLength(1)
  return claims[0] as Claim
}

describe('one row, one receiver', () => {
  it('the healthy endpoint gets one POST, however often the other is tried again (trap 13)', async () => {
    const { engine, work, posts, rows } = await pair((attempt) => (attempt < 10 ? 500 : 200))
    await engine.publish(event)
    for (let round = 0; round < 12; round++) await work({ now: LATER })
    expect([posts('good'), posts('bad'), await rows()]).toEqual([1, 10, []])
  })

  it('a 4xx of one endpoint ends its own row and leaves the other to be delivered (trap 8)', async () => {
    const { engine, ids, posts, work, rows } = await pair(() => ({ status: 400, body: 'no\0 thanks' }), {
      history: true,
    })
    await engine.publish(event)
    await work()
    await work({ now: LATER })
    expect((await rows()).map((row) => [row.endpointId, row.status, row.lastStatus, row.lastError])).toEqual([
      [ids.bad, 'failed', 400, 'HTTP 400: no thanks'],
    ])
    const { rows: attempts } = await engine.attempts.list('w1', { limit: 10 })
    const ends = Object.fromEntries(attempts.map((one) => [one.endpointId, [one.outcome, one.httpStatus, one.error]]))
    expect(ends).toEqual({ [ids.good]: ['delivered', 200, null], [ids.bad]: ['failed', 400, 'HTTP 400: no thanks'] })
    expect([attempts.length, posts('good'), posts('bad')]).toEqual([2, 1, 1])
  })

  it('ten failures end the row, and no eleventh attempt follows', async () => {
    const { engine, posts, work, rows } = await pair(() => ({ kind: 'error', reason: 'timeout', message: 'slow' }), {
      circuit: { timeoutsInRow: 100 },
    })
    await engine.publish(event)
    for (let round = 0; round < 12; round++) await work({ now: LATER })
    expect([posts('bad'), await rows()]).toMatchObject([
      10,
      [{ status: 'failed', attempts: 10, lastError: 'timeout: slow' }],
    ])
  })
})

describe('410', () => {
  it('fails the row and disables the endpoint, for the reason gone', async () => {
    const { engine, ids, work, rows } = await pair(() => 410)
    await engine.publish(event)
    await work()
    expect(await engine.endpoints.get('w1', ids.bad)).toMatchObject({
      status: 'disabled',
      disabledReason: 'gone',
      version: 2,
    })
    expect(await engine.endpoints.get('w1', ids.good)).toMatchObject({ status: 'enabled', version: 1 })
    expect(await rows()).toMatchObject([{ endpointId: ids.bad, status: 'failed', lastStatus: 410 }])
  })

  it('does not disable an endpoint that was changed after the attempt read it', async () => {
    const made = await rig({ answer: () => 410 })
    const { id } = await made.addEndpoint()
    await made.engine.publish(event)
    const claim = await claimOne(made)
    const outcome = await made.engine.worker.deliver(claim, claim.claimedAt)
    await made.engine.endpoints.update('w1', id, { url: 'https://moved.example.com/' })
    await made.engine.worker.settle([{ claim, outcome }])
    expect(await made.engine.endpoints.get('w1', id)).toMatchObject({ status: 'enabled', version: 2 })
    expect(await made.rows()).toMatchObject([{ status: 'failed' }])
  })

  it('disables nothing when the settle is lost', async () => {
    const made = await rig({ answer: () => 410 })
    const { id } = await made.addEndpoint()
    await made.engine.publish(event)
    const claim = await claimOne(made)
    const outcome = await made.engine.worker.deliver(claim, claim.claimedAt)
    const { claims } = await claimDueEvents(made.db, { limit: 1, now: LATER })
    expect(claims).toHaveLength(1)
    expect(await made.engine.worker.settle([{ claim, outcome }])).toMatchObject({ lost: [claim] })
    expect(await made.engine.endpoints.get('w1', id)).toMatchObject({ status: 'enabled', version: 1 })
    expect(await made.rows()).toMatchObject([{ status: 'pending', gen: claim.gen + 1 }])
  })
})

describe('a disabled endpoint', () => {
  it('holds its due rows, with no attempt counted and nothing sent; enabling resumes them (trap 22)', async () => {
    const { engine, ids, posts, work, rows } = await pair(() => 200)
    await engine.publish(event)
    await engine.endpoints.setStatus('w1', ids.bad, 'disabled')
    expect((await work()).map(({ kind }) => kind).sort()).toEqual(['complete', 'hold'])
    expect(await rows()).toMatchObject([
      { endpointId: ids.bad, status: 'held', holdReason: 'endpoint_disabled', attempts: 0, dueAt: null },
    ])
    expect(await work({ now: LATER })).toEqual([])
    await engine.endpoints.setStatus('w1', ids.bad, 'enabled')
    expect(await work()).toMatchObject([{ kind: 'complete', httpStatus: 200 }])
    expect([posts('bad'), await rows()]).toEqual([1, []])
  })

  it('that was enabled between the read and the settle holds no row', async () => {
    const made = await rig()
    const { id } = await made.addEndpoint()
    await made.engine.publish(event)
    await made.engine.endpoints.setStatus('w1', id, 'disabled')
    const claim = await claimOne(made)
    const outcome = await made.engine.worker.deliver(claim, claim.claimedAt)
    expect(outcome).toEqual({ kind: 'hold', reason: 'endpoint_disabled' })
    await made.engine.endpoints.setStatus('w1', id, 'enabled')
    await made.engine.worker.settle([{ claim, outcome }])
    expect(await made.rows()).toMatchObject([{ status: 'pending', holdReason: null, attempts: 0 }])
    expect(await made.work()).toMatchObject([{ kind: 'complete', httpStatus: 200 }])
  })

  it('that another process enabled is read again after a hold: its row is not held and resumed in a loop', async () => {
    // The clock never moves here, so the cache reads the endpoint again only if it was told to forget it.
    const made = await rig({ monotonic: () => 0 })
    const { id } = await made.addEndpoint()
    const setStatus = (status: string) => made.exec('update keepsend_endpoints set status = ? where id = ?', status, id)
    await made.engine.publish(event)
    await setStatus('disabled')
    const claim = await claimOne(made)
    const outcome = await made.engine.worker.deliver(claim, claim.claimedAt)
    await setStatus('enabled')
    await made.engine.worker.settle([{ claim, outcome }])
    expect([outcome.kind, await made.work()]).toMatchObject(['hold', [{ kind: 'complete', httpStatus: 200 }]])
  })

  it('that is deleted fails its held rows as endpoint_gone: 500 immediately, the others in maintenance', async () => {
    const { engine, ids, work, rows } = await pair(() => 200)
    await engine.publish(event)
    await engine.endpoints.setStatus('w1', ids.bad, 'disabled')
    await work()
    // Held by a publish: no attempt is made of these.
    for (let n = 0; n < 1201; n++) await engine.publish(event)
    await engine.endpoints.delete('w1', ids.bad)
    const states = async () => {
      const counts = { failed: 0, held: 0 }
      for (const { status, lastError } of await rows()) {
        if (status === 'held') counts.held++
        if (status === 'failed' && lastError?.startsWith('endpoint_gone')) counts.failed++
      }
      return counts
    }
    expect(await states()).toEqual({ failed: 500, held: 702 })
    expect(await engine.worker.maintain()).toMatchObject({ orphaned: 500, more: true })
    expect(await engine.worker.maintain()).toMatchObject({ orphaned: 202, more: false })
    expect(await states()).toEqual({ failed: 1202, held: 0 })
    expect(await engine.worker.maintain()).toMatchObject({ orphaned: 0, more: false })
  })

  it('that is deleted is found behind a thousand others by maintenance, even by engines that run one round each', async () => {
    const made = await rig({ limits: { endpointsPerWorkspace: 1001 } })
    const held = async (endpointId: string) => {
      const eventId = newEventId()
      await enqueueEvents(made.db, [{ eventId, endpointId, workspaceId: 'w1', type: 'a', payload: '{}' }])
    }
    for (let n = 0; n < 1000; n++) await held((await made.addEndpoint()).id)
    await held('ep_gone')
    await made.exec("update keepsend_endpoints set status = 'disabled'")
    await made.exec(
      "update pending_events set status = 'held', hold_reason = 'x', held_at = 1, ready = 0, due_at = null",
    )
    const orphaned = []
    for (let round = 0; round < 3; round++)
      orphaned.push((await (await rig({ on: made })).engine.worker.maintain()).orphaned)
    expect(orphaned).toEqual([0, 1, 0])
  })

  it('whose enabling was interrupted by a crash leaves no row held: maintenance resumes the others', async () => {
    const { engine, ids, work, rows, exec } = await pair(() => 200)
    await engine.publish(event)
    await engine.endpoints.setStatus('w1', ids.bad, 'disabled')
    await work()
    await exec("update keepsend_endpoints set status = 'enabled'")
    expect(await rows()).toMatchObject([{ status: 'held' }])
    expect(await engine.worker.maintain()).toMatchObject({ orphanedHolds: 1, more: false })
    expect(await engine.worker.resumeHeld()).toMatchObject({ resumed: [{ endpointId: ids.bad, delayMs: 0 }] })
    expect(await rows()).toMatchObject([{ status: 'pending' }])
  })
})

describe('the transaction of a settle', () => {
  it('deletes delivered rows', async () => {
    const { engine, addEndpoint, work, rows } = await rig()
    await addEndpoint()
    await engine.publish(event)
    await work()
    expect(await rows()).toEqual([])
  })

  it('takes the next claim in the same commit', async () => {
    const made = await rig()
    await made.addEndpoint()
    await made.engine.publish(event)
    await made.engine.publish(event)
    const claim = await claimOne(made)
    const outcome = await made.engine.worker.deliver(claim, claim.claimedAt)
    const { lost, claimed } = await made.engine.worker.settle([{ claim, outcome }], {
      claim: await claimInLine(made, 10),
    })
    expect([lost, claimed.claims.map(({ attempts }) => attempts), (await made.rows()).length]).toEqual([[], [1], 1])
  })

  it('of a worker that lost its lease changes nothing, whatever the outcome', async () => {
    const made = await rig()
    await made.addEndpoint()
    await made.engine.publish(event)
    const claim = await claimOne(made)
    await claimDueEvents(made.db, { limit: 1, now: LATER })
    const [before] = await made.rows()
    for (const outcome of [
      { kind: 'complete', httpStatus: 200 },
      { kind: 'fail', error: 'internal_error' },
      { kind: 'reschedule', delayMs: 1, deferral: false, error: 'internal_error' },
      { kind: 'hold', reason: 'rate_limited' },
    ] as const) {
      expect(await made.engine.worker.settle([{ claim, outcome }])).toMatchObject({ lost: [claim] })
      expect(await made.rows()).toEqual([before])
    }
  })
})
