// Attempts are recorded in the transaction of their settle: a row if, and only if, the settle stands. On each database.
import { claimDueEvents, toSql } from '@keepsend/outbox'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import type { AttemptFilter, FinishedDelivery } from '../src/index.ts'
import { type Answer, LATER, type Rig, bearer, rig } from './rig.ts'

const EVENT = { type: 'message.created', workspaceId: 'w1', data: { n: 1 } }

/** An engine with history and one endpoint, whose receiver gives these answers in turn, then 200. */
async function recorded(
  answers: Answer[],
  options: Parameters<typeof rig>[0] = {},
): Promise<
  Rig & { endpointId: string; list: (filter?: Partial<AttemptFilter>) => ReturnType<Rig['engine']['attempts']['list']> }
> {
  const made = await rig({ history: true, retrySchedule: [1, 1], answer: () => answers.shift() ?? 200, ...options })
  const { id: endpointId } = await made.addEndpoint()
  return {
    ...made,
    endpointId,
    list: (filter) => made.engine.attempts.list('w1', { limit: 100, ...filter }),
  }
}

async function claimed({ db }: Pick<Rig, 'db'>) {
  const { claims } = await claimDueEvents(db, { limit: 100 })
  return claims
}

describe('an attempt', () => {
  it('is recorded with its outcome, numbers, times, URL and response', async () => {
    const failure = { status: 500, headers: { 'content-type': 'text/plain' }, body: 'out of memory' }
    const made = await recorded([failure])
    await made.engine.endpoints.update('w1', made.endpointId, { url: 'https://hooks.example.com/in?token=s3cret' })
    await made.engine.publish(EVENT)
    await made.work()
    await made.work({ now: LATER })
    const { rows, next, complete } = await made.list()
    expect({ next, complete }).toEqual({ next: undefined, complete: true })
    const [delivered, retried] = rows
    expect(rows).toHaveLength(2)
    expect(retried).toMatchObject({
      workspaceId: 'w1',
      endpointId: made.endpointId,
      type: EVENT.type,
      number: 1,
      reason: 'publish',
      outcome: 'retry',
      httpStatus: 500,
      errorClass: 'http_5xx',
      error: 'HTTP 500: out of memory',
      url: 'https://hooks.example.com/in',
      body: 'out of memory',
    })
    expect(delivered).toMatchObject({
      number: 2,
      reason: 'retry',
      outcome: 'delivered',
      httpStatus: 200,
      error: null,
      body: null,
      queueUs: null,
    })
    expect(retried?.deliveryId).toBe(delivered?.deliveryId)
    expect(delivered?.gen).toBeGreaterThan(retried?.gen ?? Infinity)
    expect(retried?.queueUs).toBeGreaterThanOrEqual(0)
    expect(await made.count('pending_events')).toBe(0)
  })

  it('is listed by every filter that is given, and a value that a filter does not have is refused', async () => {
    const made = await recorded([])
    await made.engine.publish(EVENT)
    await made.work()
    const { rows } = await made.engine.attempts.list('w1', { limit: 10 })
    const { deliveryId, endpointId } = rows[0]!
    const found = async (filter: object) =>
      (await made.engine.attempts.list('w1', { limit: 10, deliveryId, ...filter })).rows.length
    expect([await found({ endpointId }), await found({ endpointId: 'ep_other' })]).toEqual([1, 0])
    const wrong = { code: 'invalid_option', message: expect.stringContaining('found "bogus"') }
    const { attempts, deliveries, problems } = made.engine
    const filter = (name: string) => ({ limit: 10, [name]: 'bogus' })
    for (const refused of [
      attempts.list('w1', filter('outcome')),
      attempts.list('w1', filter('errorClass')),
      deliveries.list('w1', filter('status')),
      deliveries.list('w1', filter('errorClass')),
      deliveries.list('w1', filter('httpClass')),
      problems.list('w1', filter('state')),
    ])
      await expect(refused).rejects.toMatchObject(wrong)
  })

  it('waited no negative time in the queue, whichever clock says when it began', async () => {
    const made = await recorded([])
    await made.engine.publish(EVENT)
    const [claim] = (await claimDueEvents(made.db, { limit: 1 })).claims
    const outcome = await made.engine.worker.deliver(claim!, claim!.claimedAt)
    const record = { ...outcome.record!, startedAt: claim!.createdAt - 5000 }
    await made.engine.worker.settle([{ claim: claim!, outcome: { ...outcome, record } }])
    expect((await made.list()).rows).toMatchObject([{ startedAt: claim!.createdAt - 5000, queueUs: 0 }])
  })

  it('is recorded for each way in which it ends, and for nothing else', async () => {
    const pause = { status: 429, headers: { 'retry-after': '60' } }
    const made = await recorded([pause])
    await made.engine.publish(EVENT)
    await made.work()
    expect((await made.list()).rows).toMatchObject([{ outcome: 'deferred', httpStatus: 429, errorClass: 'http_4xx' }])
    // The endpoint is paused: the next delivery is held, and no attempt is made.
    await made.engine.publish(EVENT)
    await made.work()
    expect((await made.list()).rows).toHaveLength(1)

    const gone = await recorded([410])
    await gone.engine.publish(EVENT)
    await gone.work()
    expect((await gone.list()).rows).toMatchObject([{ outcome: 'failed', httpStatus: 410 }])

    const refused = await recorded([400])
    await refused.engine.publish(EVENT)
    await refused.work()
    expect((await refused.list()).rows).toMatchObject([{ outcome: 'failed', errorClass: 'http_4xx', number: 1 }])
  })

  it('says whether it was made for a replay or a test', async () => {
    const made = await recorded([400, 500])
    await made.engine.publish(EVENT)
    await made.work()
    const [failed] = (await made.list()).rows
    await made.engine.deliveries.replay('w1', failed!.deliveryId)
    await made.work()
    await made.work({ now: LATER })
    await made.engine.publishTest('w1', made.endpointId)
    await made.work()
    const { rows } = await made.list()
    expect(rows.map(({ reason, number, outcome }) => ({ reason, number, outcome }))).toEqual([
      { reason: 'test', number: 1, outcome: 'delivered' },
      { reason: 'replay', number: 2, outcome: 'delivered' },
      { reason: 'replay', number: 1, outcome: 'retry' },
      { reason: 'publish', number: 1, outcome: 'failed' },
    ])
  })

  it('of a lost claim is recorded as superseded beside that of the current claim of the same row, in one settle', async () => {
    const made = await recorded([500, 200])
    await made.engine.publish(EVENT)
    const [claim] = await claimed(made)
    const stale = { ...claim!, gen: claim!.gen - 1 }
    const finished: FinishedDelivery[] = []
    for (const one of [stale, claim!])
      finished.push({ claim: one, outcome: await made.engine.worker.deliver(one, one.claimedAt) })
    const lost: string[] = []
    const settled: string[] = []
    made.engine.on('leaseLost', ({ deliveryId }) => lost.push(deliveryId))
    made.engine.on('settled', ({ outcome }) => settled.push(outcome))
    const { results } = await made.engine.worker.settleEach(finished, { claim: { due: 10 } })
    expect(results.map(({ settle }) => settle)).toEqual(['lost', 'settled'])
    expect([lost, settled]).toEqual([[stale.id], ['completed']])
    const { rows } = await made.list({ deliveryId: stale.id })
    const inOrder = rows.toSorted((one, other) => one.gen - other.gen)
    expect(inOrder.map(({ gen, outcome }) => [gen, outcome])).toEqual([
      [stale.gen, 'superseded'],
      [claim!.gen, 'delivered'],
    ])
  })

  it('of a lost claim is recorded as superseded: once, of its delivery alone, and in no list of failures', async () => {
    const made = await recorded([500])
    await made.engine.publish(EVENT)
    const [claim] = await claimed(made)
    const stale = { ...claim!, gen: claim!.gen - 1 }
    const outcome = await made.engine.worker.deliver(stale, stale.claimedAt)
    for (let n = 0; n < 2; n++) {
      const settled = await made.engine.worker.settle([{ claim: stale, outcome }], { claim: { due: 10 } })
      expect(settled.lost).toEqual([stale])
    }
    const attempt = {
      outcome: 'superseded',
      deliveryId: stale.id,
      gen: stale.gen,
      workspaceId: 'w1',
      endpointId: made.endpointId,
      type: EVENT.type,
      number: 1,
      reason: 'publish',
      httpStatus: 500,
      errorClass: 'http_5xx',
    }
    for (const filter of [{}, { deliveryId: stale.id }, { outcome: 'superseded' as const }])
      expect((await made.list(filter)).rows).toMatchObject([attempt])
    expect((await made.list({ outcome: 'unsuccessful' })).rows).toEqual([])
    expect((await made.list({ outcome: 'unsuccessful', endpointId: made.endpointId })).rows).toEqual([])
    expect((await made.list({ outcome: 'delivered' })).rows).toEqual([])
  })

  it('is recorded once if its settle is repeated, because the answer of its commit was lost', async () => {
    const made = await recorded([])
    await made.engine.publish(EVENT)
    const [claim] = await claimed(made)
    const outcome = await made.engine.worker.deliver(claim!, claim!.claimedAt)
    await made.engine.worker.settle([{ claim: claim!, outcome }])
    expect((await made.engine.worker.settle([{ claim: claim!, outcome }])).lost).toEqual([claim])
    expect((await made.list()).rows).toMatchObject([{ outcome: 'delivered' }])
  })

  it('of a lost claim is not recorded with attempts: failed', async () => {
    const made = await recorded([500], { history: { attempts: 'failed' } })
    await made.engine.publish(EVENT)
    const [claim] = await claimed(made)
    const stale = { ...claim!, gen: claim!.gen - 1 }
    const outcome = await made.engine.worker.deliver(stale, stale.claimedAt)
    await made.engine.worker.settle([{ claim: stale, outcome }])
    expect(await made.count('keepsend_attempts')).toBe(0)
  })

  it('of a lost claim that cannot be recorded is logged, and its settle is lost like any other', async () => {
    const made = await recorded([500], {
      wrap: (db) => ({
        ...db,
        atomic: (statements) =>
          statements.some((one) => toSql(one, db.dialect.name).sql.includes('keepsend_attempts as other'))
            ? Promise.reject(new Error('no room'))
            : db.atomic(statements),
      }),
    })
    await made.engine.publish(EVENT)
    const [claim] = await claimed(made)
    const stale = { ...claim!, gen: claim!.gen - 1 }
    const outcome = await made.engine.worker.deliver(stale, stale.claimedAt)
    expect((await made.engine.worker.settle([{ claim: stale, outcome }])).lost).toEqual([stale])
    expect(made.log.entries).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'failed to record attempts that other workers superseded' }),
    )
  })

  it('that the database refuses to record costs no delivery', async () => {
    const made = await recorded([])
    for (let n = 0; n < 3; n++) await made.engine.publish(EVENT)
    const claims = await claimed(made)
    const finished: FinishedDelivery[] = await Promise.all(
      claims.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, claim.claimedAt) })),
    )
    // A time that no column can hold.
    Object.assign(finished[1]!.outcome.record!, { startedAt: 'never' })
    const { results } = await made.engine.worker.settleEach(finished)
    expect(results.map(({ settle }) => settle)).toEqual(['settled', 'settled', 'settled'])
    expect((await made.list()).rows).toHaveLength(2)
    expect(await made.count('pending_events')).toBe(0)
    expect(made.log.entries).toContainEqual(
      expect.objectContaining({ message: 'failed to record an attempt; its outcome was recorded' }),
    )
  })

  it('is recorded by the settle that also takes the next claim', async () => {
    const made = await recorded([])
    for (let n = 0; n < 2; n++) await made.engine.publish(EVENT)
    const { claims } = await claimDueEvents(made.db, { limit: 1 })
    const finished = await Promise.all(
      claims.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, claim.claimedAt) })),
    )
    const lanes = [{ workspaceId: 'w1', endpointId: made.endpointId, count: 1 }]
    const { lost, claimed: next } = await made.engine.worker.settle(finished, { claim: { lanes } })
    expect({ lost, taken: next.claims.length }).toEqual({ lost: [], taken: 1 })
    expect((await made.list()).rows).toMatchObject([{ deliveryId: claims[0]!.id, gen: claims[0]!.gen, number: 1 }])
  })

  it('records the outcomes of a group together', async () => {
    const answers = new Map<string, Answer>()
    const made = await rig({ history: true, retrySchedule: [1], answer: ({ url }) => answers.get(url) ?? 200 })
    for (const status of [200, 400, 500]) {
      const url = `https://hooks.example.com/${status}`
      answers.set(url, status)
      await made.addEndpoint({ url })
    }
    for (let n = 0; n < 20; n++) await made.engine.publish(EVENT)
    await made.work()
    const { rows } = await made.engine.attempts.list('w1', { limit: 1000 })
    expect(
      Object.fromEntries([...Map.groupBy(rows, ({ outcome }) => outcome)].map(([key, all]) => [key, all.length])),
    ).toEqual({
      delivered: 20,
      failed: 20,
      retry: 20,
    })
    expect(new Set(rows.map(({ id }) => id)).size).toBe(60)
  })

  it.each([1, 4, 5, 16, 23, 41])('is recorded as its own in a settle of %i, and none of a lost claim', async (size) => {
    const made = await recorded([], { answer: ({ headers }) => (headers['webhook-id']?.endsWith('7') ? 400 : 200) })
    for (let n = 0; n < size; n++)
      await made.engine.publish({ ...EVENT, id: `evt_01910000-0000-7000-8000-${String(n).padStart(12, '0')}` })
    const claims = await claimed(made)
    const finished = await Promise.all(
      claims.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, claim.claimedAt) })),
    )
    const [lost] = finished.splice(size >> 1, 1)
    await made.engine.worker.settle([{ ...lost!, claim: { ...lost!.claim, gen: lost!.claim.gen - 1 } }, ...finished])
    const { rows } = await made.list({ limit: 100 })
    const standing = rows.filter(({ outcome }) => outcome !== 'superseded')
    expect(standing.map(({ deliveryId }) => deliveryId).toSorted()).toEqual(
      finished.map(({ claim }) => claim.id).toSorted(),
    )
    for (const { deliveryId, outcome, httpStatus, gen } of standing) {
      const isRefused = deliveryId.split('.')[0]?.endsWith('7')
      expect({ outcome, httpStatus }).toEqual({
        outcome: isRefused ? 'failed' : 'delivered',
        httpStatus: isRefused ? 400 : 200,
      })
      expect(gen).toBe(claims.find(({ id }) => id === deliveryId)?.gen)
    }
  })

  it('shows no credential: not of a response, and not one of the request that the response repeats', async () => {
    const made = await recorded([
      {
        status: 500,
        headers: { 'set-cookie': 'sid=1', 'x-echo': 'Bearer own-value-1', 'x-plain': 'seen' },
        body: 'you sent own-value-1',
      },
    ])
    await made.engine.endpoints.update('w1', made.endpointId, { headers: { 'x-own': 'own-value-1' } })
    await made.engine.publish(EVENT)
    await made.work()
    const { rows } = await made.list()
    expect(rows).toMatchObject([{ body: 'you sent …' }])
    expect(JSON.stringify(rows)).not.toContain('own-value-1')
  })

  it('is recorded only if it failed, with attempts: failed', async () => {
    const made = await recorded([500], { history: { attempts: 'failed' } })
    await made.engine.publish(EVENT)
    await made.work()
    await made.work({ now: LATER })
    expect((await made.list()).rows).toMatchObject([{ outcome: 'retry' }])
  })

  it('is not recorded without history, and a list says so', async () => {
    const made = await rig()
    await made.addEndpoint()
    await made.engine.publish(EVENT)
    await made.work()
    expect(await made.count('keepsend_attempts')).toBe(0)
    await expect(made.engine.attempts.list('w1', { limit: 1 })).rejects.toMatchObject({ code: 'not_retained' })
  })
})

describe('a list of attempts', () => {
  it('is filtered by delivery, endpoint, type, outcome, class, status and time', async () => {
    const made = await recorded([500, 404])
    await made.engine.publish(EVENT)
    await made.work()
    await made.engine.publish({ ...EVENT, type: 'message.deleted' })
    await made.work()
    await made.engine.publish(EVENT)
    await made.work()
    const { rows } = await made.list()
    expect(rows.map(({ httpStatus }) => httpStatus)).toEqual([200, 404, 500])
    const status = async (filter: Partial<AttemptFilter>): Promise<unknown> =>
      (await made.list(filter)).rows.map(({ httpStatus }) => httpStatus)
    expect(await status({ endpointId: made.endpointId })).toEqual([200, 404, 500])
    expect(await status({ endpointId: 'ep_other' })).toEqual([])
    expect(await status({ type: 'message.deleted' })).toEqual([404])
    expect(await status({ outcome: 'unsuccessful' })).toEqual([404, 500])
    expect(await status({ outcome: 'unsuccessful', endpointId: made.endpointId })).toEqual([404, 500])
    expect(await status({ outcome: 'delivered' })).toEqual([200])
    expect(await status({ errorClass: 'http_5xx' })).toEqual([500])
    expect(await status({ httpStatus: 404, outcome: 'failed' })).toEqual([404])
    expect(await status({ deliveryId: rows[1]!.deliveryId })).toEqual([404])
    expect(await status({ until: Date.now() - 60_000 })).toEqual([])
    expect(await status({ since: Date.now() - 60_000 })).toEqual([200, 404, 500])
    expect(await status({ since: Date.now() + 60_000 })).toEqual([])
  })

  it.each([1.5, Number.NaN, 9e15])('refuses the time %s, as every list does', async (time) => {
    const { engine } = await recorded([])
    for (const times of [{ since: time }, { until: time }])
      for (const store of [engine.attempts, engine.deliveries, engine.events, engine.problems])
        await expect(store.list('w1', { limit: 1, ...times })).rejects.toMatchObject({
          code: 'invalid_option',
          message: expect.stringContaining(Object.keys(times)[0]!) as string,
        })
  })

  it('has pages that join without a gap, filtered or not', async () => {
    const made = await recorded([])
    for (let n = 0; n < 25; n++) await made.engine.publish({ ...EVENT, type: n % 2 === 0 ? 'a.even' : 'a.odd' })
    await made.work()
    for (const filter of [{}, { type: 'a.even' }]) {
      const seen: string[] = []
      let before: string | undefined
      do {
        const page = await made.list({ ...filter, limit: 4, before })
        expect(page.rows.length).toBeLessThanOrEqual(4)
        seen.push(...page.rows.map(({ id }) => id))
        before = page.next
      } while (before !== undefined)
      expect(seen).toEqual((await made.list(filter)).rows.map(({ id }) => id))
      expect(seen).toHaveLength('type' in filter ? 13 : 25)
    }
  })

  it('has no row of another workspace, by whichever filter', async () => {
    const made = await recorded([500])
    await made.engine.publish(EVENT)
    await made.work()
    const [attempt] = (await made.list()).rows
    for (const filter of [
      {},
      { endpointId: made.endpointId },
      { endpointId: made.endpointId, outcome: 'unsuccessful' as const },
      { deliveryId: attempt!.deliveryId },
      { before: String(BigInt(attempt!.id) + 1n) },
    ]) {
      expect(await made.engine.attempts.list('w2', { limit: 10, ...filter })).toEqual({
        rows: [],
        next: undefined,
        complete: true,
      })
    }
  })

  it('is GET /attempts and GET /deliveries/{id}/attempts', async () => {
    const made = await recorded([500])
    await made.engine.publish(EVENT)
    await made.work()
    const { key } = await made.engine.apiKeys.create({ workspaceId: 'w1' })
    const app = new Hono().route('/', made.engine.routes)
    const get = async (path: string) => {
      const response = await app.request(path, { headers: bearer(key).headers })
      return { status: response.status, body: (await response.json()) as { data: Record<string, unknown>[] } }
    }
    const all = await get('/attempts?outcome=unsuccessful&since=2026-01-01T00:00:00Z')
    expect(all).toMatchObject({ status: 200, body: { data: [{ outcome: 'retry', number: 1, httpStatus: 500 }] } })
    const id = String(all.body.data[0]?.['deliveryId'])
    expect((await get(`/deliveries/${id}/attempts`)).body).toEqual(all.body)
    expect(await get('/attempts?cursor=bm8=')).toMatchObject({ status: 400 })
  })
})

describe('the retention of attempts', () => {
  it('deletes old ones in maintenance, and lists show none past it', async () => {
    const made = await recorded([], { history: { retentionMs: 60_000 } })
    for (let n = 0; n < 3; n++) await made.engine.publish(EVENT)
    await made.work()
    const perMs = made.db.dialect.name === 'postgres' ? 1_048_576 : 4096
    const [newest] = (await made.list()).rows
    // Past the minute that statistics still wait for.
    await made.exec(`update keepsend_attempts set id = id - ${151_000 * perMs} where id < ${newest!.id}`)
    expect((await made.list()).rows).toHaveLength(1)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedAttempts: 2 })
    expect(await made.count('keepsend_attempts')).toBe(1)
  })
})
