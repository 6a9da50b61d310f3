// Erasures: what each kind deletes, what stays, and that nothing comes back.
import { newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { insertQueuedEvent } from '../src/index.ts'
import { erasureRig } from './erasures.ts'

const CANARY = 'canary-5d1f'

/** Deliveries of w1 in each state and what belongs to them, each with the canary; and as many of w2, with another text. */
async function world() {
  let answer = 200
  const made = await erasureRig({ answer: ({ url }) => ({ status: answer, body: `seen at ${url}` }) })
  const { engine } = made
  const fill = async (workspaceId: string, note: string): Promise<{ endpointId: string; eventIds: string[] }> => {
    const { id } = await made.addEndpoint({ workspaceId, url: `https://${note}.example.com/`, description: note })
    const eventIds: string[] = []
    const publish = async (long = 10) => {
      const data = { note, long: `${note}${'x'.repeat(long)}` }
      eventIds.push((await engine.publish({ type: 'a', workspaceId, data })).eventId)
    }
    for (const length of [200, 2000, 60_000]) await publish(length)
    await made.work()
    answer = 400
    await publish()
    await made.work()
    answer = 500
    await publish()
    await made.work()
    answer = 200
    await engine.endpoints.setStatus(workspaceId, id, 'disabled', { by: note })
    await publish(2000)
    await engine.endpoints.setStatus(workspaceId, id, 'enabled')
    await publish()
    const response = { status: 200, body: { note, events: eventIds } }
    const idempotencyKey = { key: note, workspaceId, method: 'POST', route: '/x', body: '{}' }
    const event = { type: 'a', workspaceId, data: { note } }
    eventIds.push(...(await engine.commit({ writes: [], events: [event], response, idempotencyKey })).eventIds)
    await engine.apiKeys.create({ workspaceId, name: note })
    await engine.workspaces.setRetention(workspaceId, { attemptsMs: 60_000_000 })
    await engine.replays.create(workspaceId, { what: 'ids', ids: [`${eventIds[3]}.${id}`] })
    return { endpointId: id, eventIds }
  }
  const others = await fill('w2', OTHER)
  const mine = await fill('w1', CANARY)
  await engine.worker.maintain()
  return { ...made, mine, others }
}

const OTHER = 'other-77aa'

/** The rows of w2 in each table. */
const neighbours = (made: Awaited<ReturnType<typeof world>>) =>
  made.matching((value) => value === 'w2' || String(value).includes(OTHER))

describe('an erasure of a workspace', () => {
  it('says first how many unsettled deliveries it drops, and leaves no row of it', async () => {
    const made = await world()
    const before = await neighbours(made)
    expect(await made.found(CANARY)).toContain('keepsend_payloads')
    const plan = await made.engine.erase({ workspaceId: 'w1', what: 'workspace', dryRun: true })
    // One failed; one waits for its retry, and three were not sent.
    expect(plan).toEqual({ planned: 5, unsettled: 4, plannedMore: false })
    expect(await made.count('keepsend_erasures')).toBe(0)
    const erased = await made.erase({ workspaceId: 'w1', what: 'workspace' })
    expect(erased).toMatchObject({ ...plan, dropped: 4, deliveries: 5, attempts: 5, events: 8, answers: 1, state: 'completed' })
    expect(await made.found(CANARY)).toEqual([])
    expect(await made.found(made.mine.endpointId)).toEqual([])
    for (const eventId of made.mine.eventIds) expect(await made.found(eventId)).toEqual([])
    expect(Object.keys(await made.matching((value) => value === 'w1'))).toEqual(['keepsend_audit', 'keepsend_erasures', 'keepsend_idempotency_records'])
    expect(await neighbours(made)).toEqual(before)
  })
})
