import { newEventId } from '@keepsend/engine'
import { describe, expect, it } from 'vitest'
import { openEngine } from './open-engine.ts'

describe('published', () => {
  it('lists events in the order in which they were published, also those that no endpoint subscribes to', async () => {
    const engine = await openEngine()
    const later = newEventId()
    const { eventId: first } = await engine.publish({ type: 'b', workspaceId: 'w2', data: { n: 1 }, channels: ['x.y'] })
    const { eventIds } = await engine.commit({
      writes: [],
      events: [
        { type: 'a', workspaceId: 'w1', raw: { body: '{"own":true}', contentType: 'application/json' } },
        { type: 'a', workspaceId: 'w1', raw: { body: 'a=1', contentType: 'application/x-www-form-urlencoded' } },
        // Its id is older than the first one's.
        { id: later, type: 'a', workspaceId: 'w1', data: { at: new Date(0) } },
      ],
    })
    expect(await engine.published()).toEqual([
      { id: first, type: 'b', workspaceId: 'w2', channels: ['x.y'], data: { n: 1 }, contentType: null },
      {
        id: eventIds[0],
        type: 'a',
        workspaceId: 'w1',
        channels: [],
        data: { own: true },
        contentType: 'application/json',
      },
      {
        id: eventIds[1],
        type: 'a',
        workspaceId: 'w1',
        channels: [],
        data: 'a=1',
        contentType: 'application/x-www-form-urlencoded',
      },
      { id: later, type: 'a', workspaceId: 'w1', channels: [], data: { at: new Date(0).toJSON() }, contentType: null },
    ])
  })

  it('lists those of a type, or of a workspace, and refuses any other filter', async () => {
    const engine = await openEngine()
    for (const workspaceId of ['w1', 'w2'])
      for (const type of ['a', 'b']) await engine.publish({ type, workspaceId, data: {} })
    expect(await engine.published({ type: 'a' })).toMatchObject([{ workspaceId: 'w1' }, { workspaceId: 'w2' }])
    expect(await engine.published({ workspaceId: 'w2' })).toMatchObject([{ type: 'a' }, { type: 'b' }])
    expect(await engine.published({ type: 'a', workspaceId: undefined })).toHaveLength(2)
    expect(await engine.published({ type: "a' or '1'='1" })).toEqual([])
    await expect(engine.published({ kind: 'a' } as object)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('published has no option kind'),
    })
  })

  it('lists neither a refused event nor one that was published before the engine was created', async () => {
    const first = await openEngine()
    await first.publish({ type: 'before', workspaceId: 'w1', data: {} })
    const second = await openEngine({ db: first.db })
    await expect(second.publish({ type: 'not a type', workspaceId: 'w1', data: {} })).rejects.toMatchObject({
      code: 'invalid_event',
    })
    const refused = second.commit({
      writes: [{ sql: 'insert into no_such_table values (1)', params: [] }],
      events: [{ type: 'refused', workspaceId: 'w1', data: {} }],
    })
    await expect(refused).rejects.toThrow('no_such_table')
    expect(await second.published()).toEqual([])
    expect(await first.published()).toMatchObject([{ type: 'before' }])
  })

  it('is still listed when its deliveries are delivered, and after years', async () => {
    const engine = await openEngine()
    await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
    await engine.publish({ type: 'a', workspaceId: 'w1', data: { text: 'é 🙂 \u0000' } })
    await engine.deliverAll()
    engine.advance(31_536_000_000)
    expect(await engine.published()).toMatchObject([{ data: { text: 'é 🙂 \u0000' } }])
  })

  it('is not said of an event that the database refused, and the log has its loss', async () => {
    const engine = await openEngine()
    await engine.db.run({ sql: 'alter table pending_events rename to gone', params: [] })
    expect(await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })).toMatchObject({ accepted: false })
    await expect.poll(() => engine.counters.notAccepted).toBe(1)
    expect(engine.lines.filter(({ level }) => level === 'error')).toMatchObject([
      { message: expect.stringContaining('failed to insert the deliveries') },
      { message: expect.stringContaining('event lost') },
    ])
  })
})
