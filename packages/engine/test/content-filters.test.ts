import { describe, expect, it } from 'vitest'
import { type Statement, newEventId, toSql } from '@keepsend/outbox'
import type { ContentFilter } from '../src/index.ts'
import { api, read } from './routes.ts'
import { recordedRig } from './plans.ts'
import { type Rig, rig, settled, signal } from './rig.ts'

const inChannel = (channel: string) => ({ type: 'message.created', workspaceId: 'w1', data: { channel } })
const GENERAL = { 'data.channel': { $in: ['general'] } }

/** Publishes until the engine knows the filters of the workspace: it reads them in the background. */
async function known(made: Rig): Promise<void> {
  await made.engine.publish(inChannel('unknown'))
  await made.work()
  await settled()
  await expect.poll(async () => (await made.engine.publish(inChannel('unknown'))).deliveries).toBe(0)
}

describe('an endpoint with a filter', () => {
  it('gets the events that match it, from an engine that does not know it and from one that does', async () => {
    const made = await rig()
    await made.addEndpoint({ filter: GENERAL })
    const all = await made.addEndpoint()
    expect(await made.engine.publish(inChannel('random'))).toMatchObject({ deliveries: 2 })
    expect((await made.work()).map(({ kind }) => kind).toSorted()).toEqual(['complete', 'filtered'])
    expect(await made.rows()).toEqual([])
    expect(made.sender.requests).toHaveLength(1)

    await made.engine.endpoints.delete('w1', all.id)
    await known(made)
    made.sender.requests.length = 0
    expect(await made.engine.publish(inChannel('random'))).toMatchObject({ deliveries: 0 })
    expect(await made.engine.publish(inChannel('general'))).toMatchObject({ deliveries: 1 })
    expect(await made.rows()).toMatchObject([{ filter: null }])
    expect((await made.work()).map(({ kind }) => kind)).toEqual(['complete'])
  })

  it('gets them by commit and publishStatements too', async () => {
    const made = await rig()
    await made.addEndpoint({ filter: GENERAL })
    const publish = async (channel: string) => {
      await made.engine.commit({ writes: [], events: [inChannel(channel)] })
      const statements = made.engine.publishStatements({ id: newEventId(), ...inChannel(channel) })
      await made.db.atomic(statements.map((one) => toSql(one, made.db.dialect.name)))
    }
    await publish('random')
    await publish('general')
    await made.work()
    expect(made.sender.requests).toHaveLength(2)
    await known(made)
    await publish('random')
    expect(await made.rows()).toEqual([])
    await publish('general')
    expect(await made.rows()).toMatchObject([{ filter: null }, { filter: null }])
  })

  it('has its filter at the commit: a change meanwhile, and a later one, change nothing', async () => {
    const made = await rig()
    const { id } = await made.addEndpoint({ filter: GENERAL })
    await known(made)
    const change = (filter: ContentFilter | null) => made.engine.endpoints.update('w1', id, { filter })
    const statements = made.engine.publishStatements({ id: newEventId(), ...inChannel('random') })
    await change({ 'data.channel': 'random' })
    await made.db.atomic(statements.map((one) => toSql(one, made.db.dialect.name)))
    await change(GENERAL)
    expect((await made.work()).map(({ kind }) => kind)).toEqual(['complete'])
  })

  it('counts nothing for an event that does not match: no attempt, no health, no history', async () => {
    const made = await rig({ history: true })
    const { id } = await made.addEndpoint({ filter: GENERAL })
    const outcomes: string[] = []
    made.engine.on('settled', ({ outcome }) => outcomes.push(outcome))
    await made.engine.publish(inChannel('random'))
    await made.work()
    expect(outcomes).toEqual(['filtered'])
    expect(await made.count('keepsend_attempts')).toBe(0)
    expect(await made.engine.endpoints.get('w1', id)).toMatchObject({ failingSince: null, circuit: 'closed' })
    expect((await made.engine.events.list('w1', { limit: 10 })).rows).toMatchObject([{ type: 'message.created' }])
  })

  it('whose probe does not match is probed by another row', async () => {
    let answer = 500
    const made = await rig({ answer: () => answer, circuit: { failuresInRow: 2 } })
    const { id } = await made.addEndpoint({ filter: GENERAL })
    for (let count = 0; count < 2; count++) await made.engine.publish(inChannel('general'))
    await made.work()
    expect(await made.engine.endpoints.get('w1', id)).toMatchObject({ circuit: 'open' })
    answer = 200
    await made.engine.publish(inChannel('random'))
    await made.engine.publish(inChannel('general'))
    for (let tick = 0; tick < 5; tick++) {
      await made.exec('update keepsend_endpoints set resume_at = 1')
      await made.engine.worker.resumeHeld()
      await made.work({ now: Date.now() + tick * 600_000 })
    }
    expect(await made.engine.endpoints.get('w1', id)).toMatchObject({ circuit: 'closed' })
  })

  it('that was broken by hand fails its own deliveries as internal_error, and no other', async () => {
    const made = await rig()
    await made.addEndpoint({ filter: GENERAL })
    await made.exec(`update keepsend_endpoints set filter = '{"data'`)
    await made.addEndpoint()
    await made.engine.publish(inChannel('general'))
    expect((await made.work()).map(({ kind }) => kind).sort()).toEqual(['complete', 'reschedule'])
    expect((await made.engine.endpoints.list('w1', { limit: 10 }))[0]).toMatchObject({
      filter: null,
      unreadable: ['filter'],
    })
  })

  it('that was broken by hand is logged once with its workspace and its id, and again when it is broken again', async () => {
    let now = 0
    const made = await rig({ monotonic: () => now })
    const { id } = await made.addEndpoint({ filter: GENERAL })
    await known(made)
    const lines = () => made.log.entries.filter(({ message }) => message.includes('broken by hand'))
    const publishLater = async () => {
      now += 61_000
      await made.engine.publish(inChannel('general'))
      await settled()
    }
    await made.exec(`update keepsend_endpoints set filter = '{"data'`)
    const linesLater = async () => {
      await publishLater()
      return lines()
    }
    await expect.poll(linesLater).toMatchObject([{ level: 'error', fields: { workspaceId: 'w1', endpointId: id } }])
    for (const _ of [1, 2, 3]) expect(await linesLater()).toHaveLength(1)
    await made.engine.endpoints.update('w1', id, { filter: GENERAL })
    await made.exec(`update keepsend_endpoints set filter = '[]'`)
    await expect.poll(linesLater).toHaveLength(2)
    for (const _ of [1, 2, 3]) expect(await linesLater()).toHaveLength(2)
  })

  it('is not read again while it is being read, however long that takes', async () => {
    let now = 0
    let reads = 0
    const ended = signal()
    const made = await rig({
      monotonic: () => now,
      wrap: (db) => ({
        ...db,
        async run<R extends object>(statement: Statement) {
          const { sql } = toSql(statement, db.dialect.name)
          if (!sql.includes('and filter is not null')) return db.run<R>(statement)
          reads++
          await ended.promise
          return db.run<R>(statement)
        },
      }),
    })
    await made.addEndpoint({ filter: GENERAL })
    for (let count = 0; count < 3; count++) {
      now += 61_000
      await made.engine.publish(inChannel('random'))
      await made.work()
    }
    expect(reads).toBe(1)
    ended.resolve()
    await expect.poll(async () => (await made.engine.publish(inChannel('random'))).deliveries).toBe(0)
  })

  it('that another process removed costs a publisher no more a minute later: the plain fan-out is back', async () => {
    let now = 0
    const made = await recordedRig({ monotonic: () => now })
    await made.addEndpoint({ eventTypes: ['other'] })
    const fanOut = async () => {
      made.statements()
      await made.engine.publish(inChannel('general'))
      return made.statements().find(({ sql }) => sql.includes('insert into pending_events'))?.sql ?? ''
    }
    // The first publish counts the receivers.
    await fanOut()
    const plain = await fanOut()
    const { id } = await made.addEndpoint({ filter: GENERAL })
    await known(made)
    expect(await fanOut()).not.toBe(plain)
    await made.exec(`update keepsend_endpoints set filter = null where id = '${id}'`)
    now += 61_000
    await expect.poll(fanOut).toBe(plain)
  })

  it('gets a test event whatever its filter says', async () => {
    const made = await rig()
    const { id } = await made.addEndpoint({ filter: GENERAL })
    await made.engine.publishTest('w1', id)
    expect((await made.work()).map(({ kind }) => kind)).toEqual(['complete'])
  })

  it('is set, shown, changed and removed over HTTP, and says whether it matches', async () => {
    const { call } = await api()
    const created = await read(call('POST', '/endpoints', { url: 'https://hooks.example.com/', filter: GENERAL }))
    expect(created).toMatchObject({ status: 201, body: { filter: GENERAL } })
    const path = `/endpoints/${String(created.body['id'])}`
    const match = async (event: object) => (await read(call('POST', `${path}/match`, event))).body
    const event = { object: 'event', type: 'message.created', data: { channel: 'general' } }
    expect(await match(event)).toEqual({ matches: true, reason: null, failed: null })
    expect(await match({ ...event, data: {} })).toEqual({
      matches: false,
      reason: 'filter',
      failed: 'data.channel $in ["general"]',
    })
    expect(await read(call('PATCH', path, { eventTypes: ['a.*'], channels: ['c'] }))).toMatchObject({ status: 200 })
    expect(await match(event)).toMatchObject({ matches: false, reason: 'type' })
    expect(await match({ ...event, type: 'a.b' })).toMatchObject({ matches: false, reason: 'channel' })
    expect(await match({ ...event, type: 'a.b', channels: ['c'] })).toMatchObject({ matches: true })
    expect(await read(call('PATCH', path, { filter: {} }))).toMatchObject({ status: 200, body: { filter: null } })
    expect(await read(call('PATCH', path, { filter: { data: { $like: 'x' } } }))).toMatchObject({
      status: 422,
      body: { code: 'invalid_endpoint', detail: expect.stringContaining('filter: has no operator "$like"') },
    })
  })
})
