// The consumer of the dead-letter queue: the row of a message that failed a hundred times.
import { env } from 'cloudflare:workers'
import { newEventId } from '@keepsend/outbox'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, it } from 'vitest'
import { consumeDeadLetters, sweep } from '../../src/index.ts'
import { type FaultyD1, faulty } from './faulty.ts'
import { type HeldMessage, LOST_MS, type Rig, batchOf, fates, messagesFor, rig } from './rig.ts'

const REASON = 'dead_letter: the queue gave up on the message'

type Parts = Rig & FaultyD1 & { consumeDead: (bodies: readonly unknown[]) => Promise<HeldMessage[]> }

async function newRig(): Promise<Parts> {
  const faults = faulty(env.DB)
  const parts = await rig({ wrap: () => fromD1(faults.d1) })
  return {
    ...parts,
    ...faults,
    async consumeDead(bodies) {
      const batch = batchOf(bodies, { queue: 'keepsend-dead-letters' })
      await consumeDeadLetters(parts.policy, batch)
      return batch.messages
    },
  }
}

async function setRows({ db }: Rig, set: string): Promise<void> {
  await db.run({ sql: `update pending_events set ${set}`, params: [] })
}

describe('the row of a dead letter', () => {
  it('counts one attempt, with the reason, and is due for the sweep; nothing is sent', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    const ids = await parts.publish(2)
    parts.sent.length = 0
    const before = await parts.now()
    expect(fates(await parts.consumeDead(messagesFor(await parts.rows())))).toEqual(['ack', 'ack'])
    for (const row of await parts.rows()) {
      expect(row).toMatchObject({ status: 'pending', attempts: 1, moves: 1, claimedAt: null, lastError: REASON })
      expect(row.dueAt).toBeGreaterThanOrEqual(before + 300_000)
      expect(row.dueAt).toBeLessThanOrEqual((await parts.now()) + 300_000)
    }
    expect(parts.sent).toEqual([])
    expect(await hook.arrivals()).toEqual([])
    expect(parts.log).toMatchObject(
      ids.map((deliveryId) => ({ level: 'error', message: REASON, fields: { deliveryId } })),
    )

    await parts.lapse()
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 2 })
    await parts.consume()
    expect(await hook.arrivals()).toHaveLength(2)
    expect(await parts.rows()).toEqual([])
  })

  it('fails if that was its last attempt', async () => {
    const parts = await newRig()
    await parts.addEndpoint()
    await parts.publish(1)
    await setRows(parts, 'attempts = max_attempts - 1')
    await parts.consumeDead(messagesFor(await parts.rows()))
    expect(await parts.rows()).toMatchObject([{ status: 'failed', attempts: 10, lastError: REASON, dueAt: null }])
  })

  it('has one attempt left if it had two', async () => {
    const parts = await newRig()
    await parts.addEndpoint()
    await parts.publish(1)
    await setRows(parts, 'attempts = max_attempts - 2')
    await parts.consumeDead(messagesFor(await parts.rows()))
    expect(await parts.rows()).toMatchObject([{ status: 'pending', attempts: 9 }])
  })

  it('does not count an attempt again that a claim has counted', async () => {
    const parts = await newRig()
    await parts.addEndpoint()
    await parts.publish(1)
    await setRows(parts, 'attempts = max_attempts - 1, gen = created_at + 4, claimed_at = 1, due_at = 1')
    await parts.consumeDead(messagesFor(await parts.rows(), 4))
    expect(await parts.rows()).toMatchObject([{ status: 'pending', attempts: 9, claimedAt: null }])
  })

  it('counts one attempt for two messages of one batch, and none for a redelivered one', async () => {
    const parts = await newRig()
    await parts.addEndpoint()
    await parts.publish(1)
    const [letter] = messagesFor(await parts.rows())
    const deadMessages = [letter, letter]
    expect(fates(await parts.consumeDead(deadMessages))).toEqual(['ack', 'ack'])
    const before = await parts.rows()
    expect(before).toMatchObject([{ attempts: 1, moves: 1 }])
    expect(fates(await parts.consumeDead(deadMessages))).toEqual(['ack', 'ack'])
    expect(await parts.rows()).toEqual(before)
  })

  it('is unchanged if it was rescheduled, swept, settled or deleted; the message is acknowledged', async () => {
    const parts = await newRig()
    await parts.addEndpoint({ status: 500 })
    const ids = await parts.publish(4, { agoMs: LOST_MS })
    await sweep(parts.policy)
    const states = [
      'attempts = 1',
      `status = 'failed', completed_at = 1, due_at = null`,
      'claimed_at = 1, attempts = 1',
    ]
    for (const [n, state] of states.entries()) {
      await parts.db.run({ sql: `update pending_events set ${state} where id = ?`, params: [ids[n] ?? ''] })
    }
    const before = await parts.rows()
    const deadMessages = [...messagesFor(before), { outboxId: newEventId(), gen: 0 }]
    expect(fates(await parts.consumeDead(deadMessages))).toEqual(Array(5).fill('ack'))
    expect(await parts.rows()).toEqual(before)
  })
})

describe('a dead letter that names no row', () => {
  it('but contains an event gets its rows inserted, and their messages sent', async () => {
    const parts = await newRig()
    const hook = await parts.addEndpoint()
    const eventId = newEventId()
    expect(fates(await parts.consumeDead([{ type: 'message.created', workspaceId: 'w', data: {}, eventId }]))).toEqual([
      'ack',
    ])
    expect(await parts.rows()).toMatchObject([{ id: `${eventId}.${hook.endpointId}`, attempts: 0, dueAt: null }])
    await parts.consume()
    expect(await hook.arrivals()).toMatchObject([{ id: eventId, verified: true }])
  })

  it('and is malformed is logged and acknowledged', async () => {
    const parts = await newRig()
    expect(fates(await parts.consumeDead([null, 5n, { outboxId: 7 }]))).toEqual(['ack', 'ack', 'ack'])
    expect(parts.log).toHaveLength(3)
  })
})

describe('while D1 does not answer, a dead letter comes back', () => {
  it('and counts no attempt, if its row cannot be read', async () => {
    const parts = await newRig()
    await parts.addEndpoint()
    await parts.publish(2)
    parts.judge(() => 'refused')
    expect(fates(await parts.consumeDead(messagesFor(await parts.rows())))).toEqual([
      { retryAfter: 30 },
      { retryAfter: 30 },
    ])
    parts.judge()
    expect(await parts.rows()).toMatchObject([{ attempts: 0 }, { attempts: 0 }])
    expect(fates(await parts.consumeDead(messagesFor(await parts.rows())))).toEqual(['ack', 'ack'])
  })

  it('and counts no attempt, if its row cannot be settled', async () => {
    const parts = await newRig()
    await parts.addEndpoint()
    await parts.publish(2)
    parts.judge(({ verbs }) => (verbs.includes('update') ? 'refused' : 'well'))
    expect(fates(await parts.consumeDead(messagesFor(await parts.rows())))).toEqual([
      { retryAfter: 30 },
      { retryAfter: 30 },
    ])
    expect(parts.log.filter(({ level }) => level === 'error')).toMatchObject([
      {
        message: 'failed to record dead letters; their messages will come back',
        fields: { outcomes: 2, code: 'not_accepted' },
      },
    ])
    parts.judge()
    expect(await parts.rows()).toMatchObject([{ attempts: 0 }, { attempts: 0 }])
  })

  it('and counts one attempt, if only the response was lost', async () => {
    const parts = await newRig()
    await parts.addEndpoint()
    await parts.publish(2)
    parts.judge(({ verbs, index }) => (verbs.includes('update') && index === 1 ? 'answer lost' : 'well'))
    await parts.consumeDead(messagesFor(await parts.rows()))
    await parts.consumeDead(messagesFor(await parts.rows()))
    expect(await parts.rows()).toMatchObject([
      { attempts: 1, moves: 1 },
      { attempts: 1, moves: 1 },
    ])
  })

  it('alone, if the database refuses only its row: the others are settled', async () => {
    const parts = await newRig()
    await parts.addEndpoint()
    await parts.publish(2)
    const ids = await parts.publish(1, { type: 'poison.taken' })
    await parts.db.run({
      sql: `create trigger refusing before update on pending_events when new.event_type = 'poison.taken'
        begin select raise(abort, 'not this row'); end`,
      params: [],
    })
    const poison = (await parts.rows()).findIndex(({ type }) => type === 'poison.taken')
    const expected = ids.map((_, n) => (n === poison ? { retryAfter: 30 } : 'ack'))
    expect(fates(await parts.consumeDead(messagesFor(await parts.rows())))).toEqual(expected)
    expect((await parts.rows()).map(({ attempts }) => attempts)).toEqual(ids.map((_, n) => (n === poison ? 0 : 1)))
  })
})
