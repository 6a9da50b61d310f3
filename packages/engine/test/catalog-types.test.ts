// Its promises are kept by the compiler: each line below @ts-expect-error must not compile.
import { type } from 'arktype'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import * as v from 'valibot'
import { expect, it } from 'vitest'
import { z } from 'zod'
import {
  type Engine,
  type EventOf,
  type KeepsendEnv,
  commitWithEvents,
  createEngine,
  defineEvents,
  event,
  keepsend,
  newEventId,
  publishEvent,
} from '../src/index.ts'
import { TEST_KEYS, rig } from './rig.ts'

const catalog = defineEvents({
  'message.created': event({ schema: z.object({ id: z.string(), text: z.string().trim() }) }),
  'message.deleted': event({ schema: v.object({ id: v.string() }) }),
  'member.added': event({ schema: type({ name: 'string' }) }),
})

const common = { id: newEventId(), workspaceId: 'w1' }
const good = { ...common, type: 'message.created', data: { id: 'm1', text: 'a' } } as const

type Event = EventOf<typeof catalog> & { id: string }

/** Never called: what does not compile need not run. */
function everyCall(engine: Engine<typeof catalog>): void {
  const other: Event = { ...common, type: 'member.added', data: { name: 'Ann' } }
  const raw: Event = { ...common, type: 'message.created', raw: { body: '<a/>', contentType: 'text/xml' } }
  void engine.publish(good)
  void engine.publish({ ...common, type: 'message.deleted', data: { id: 'm1' } })
  void engine.commit({ writes: [], events: [good, other, raw] })
  engine.publishStatements(good)

  // @ts-expect-error a typo in the type
  void engine.publish({ ...common, type: 'mesage.created', data: { id: 'm1', text: 'a' } })
  // @ts-expect-error wrong data
  void engine.publish({ ...common, type: 'message.created', data: { id: 'm1', text: 1 } })
  // @ts-expect-error a missing field
  void engine.publish({ ...common, type: 'message.created', data: { id: 'm1' } })
  // @ts-expect-error the data of another type
  void engine.publish({ ...common, type: 'message.created', data: { name: 'Ann' } })
  // @ts-expect-error a raw body of an unknown type
  void engine.publish({ ...common, type: 'message', raw: { body: '<a/>', contentType: 'text/xml' } })

  // @ts-expect-error a typo in the type
  void engine.commit({ writes: [], events: [good, { ...common, type: 'mesage.created', data: good.data }] })
  // @ts-expect-error wrong data
  void engine.commit({ writes: [], events: [{ ...common, type: 'member.added', data: { name: 1 } }] })
  // @ts-expect-error a missing field
  void engine.commit({ writes: [], events: [{ ...common, type: 'member.added', data: {} }] })

  // @ts-expect-error a typo in the type
  engine.publishStatements({ ...common, type: 'mesage.created', data: good.data })
  // @ts-expect-error wrong data
  engine.publishStatements({ ...common, type: 'message.deleted', data: { id: 1 } })
  // @ts-expect-error a missing field
  engine.publishStatements({ ...common, type: 'message.deleted', data: {} })
}

const response = { status: 200, body: null }

/** An app that names the catalog in its environment, and one that gets it from the middleware. */
function everyRoute(engine: Engine<typeof catalog>): void {
  const app = new Hono<KeepsendEnv<typeof catalog> & { Variables: { userId: string } }>()
  app.use(keepsend(engine))
  app.post('/:id', (c) => commitWithEvents(c, { writes: [], events: [good], response }))
  app.post('/:id', async (c) => c.json(await publishEvent(c, good)))
  app.post('/', (c) =>
    // @ts-expect-error a typo in the type
    commitWithEvents(c, { writes: [], events: [{ ...common, type: 'mesage.created', data: good.data }], response }),
  )
  app.post('/', (c) =>
    // @ts-expect-error wrong data
    commitWithEvents(c, { writes: [], events: [{ ...good, data: { id: 'm1', text: 1 } }], response }),
  )
  app.post('/', (c) =>
    // @ts-expect-error a missing field
    commitWithEvents(c, { writes: [], events: [{ ...good, data: { id: 'm1' } }], response }),
  )
  // @ts-expect-error a typo in the type
  app.post('/', async (c) => c.json(await publishEvent(c, { ...common, type: 'mesage.created', data: good.data })))
  // @ts-expect-error wrong data
  app.post('/', async (c) => c.json(await publishEvent(c, { ...good, data: { id: 1, text: 'a' } })))
  // @ts-expect-error a missing field
  app.post('/', async (c) => c.json(await publishEvent(c, { ...good, data: { text: 'a' } })))
  // @ts-expect-error a typo in the type, by the engine of the context
  app.post('/', async (c) => c.json(await c.get('keepsend').publish({ ...common, type: 'x', data: {} })))

  const chained = new Hono().use(keepsend(engine))
  chained.post('/', (c) => commitWithEvents(c, { writes: [], events: [good], response }))
  // @ts-expect-error a missing field
  chained.post('/', async (c) => c.json(await publishEvent(c, { ...good, data: { id: 'm1' } })))

  const untyped = new Hono()
  untyped.post('/', (c) => commitWithEvents(c, { writes: [], events: [{ ...good, type: 'any.type' }], response }))
}

/** What hosts without a catalog write compiles as before. */
function withoutCatalog(engine: Engine): Hono<{ Variables: { userId: string } }> {
  const handler: MiddlewareHandler = keepsend(engine)
  const plain: Hono = new Hono().use(keepsend(engine))
  const own = (c: Context) => commitWithEvents(c, { writes: [], events: [{ ...good, type: 'any.type' }], response })
  const bound = (c: Context<{ Bindings: { DB: string } }, '/:id'>) => publishEvent(c, { ...good, type: 'any.type' })
  plain.use(handler).post('/', own)
  return new Hono<{ Variables: { userId: string } }>().use(keepsend(engine)).get('/', (c) => c.text(String(bound)))
}

it('an engine of a catalog is an engine, and not the other way round', async () => {
  const { db } = await rig()
  const queue = { async send() {} }
  const own = createEngine({ db, queue, secrets: TEST_KEYS, catalog })
  const any: Engine = own
  // @ts-expect-error it publishes any event
  const certain: typeof own = any
  expect([certain.catalog, createEngine({ db, queue, secrets: TEST_KEYS }).catalog]).toEqual([catalog, undefined])
  expect([everyCall, everyRoute, withoutCatalog]).toHaveLength(3)
})

it('a definition with an example that does not fit, another property or no object does not compile', () => {
  const schema = z.object({ id: z.string() })
  const wrong = [
    // @ts-expect-error the example does not fit
    () => defineEvents({ a: event({ schema, example: { id: 1 } }) }),
    // @ts-expect-error a property that does not exist
    () => defineEvents({ a: event({ schema, exmple: { id: 'm1' } }) }),
    // @ts-expect-error data is an object
    () => defineEvents({ a: event({ schema: z.string(), example: 5 }) }),
  ]
  for (const make of wrong) expect(make).toThrow(expect.objectContaining({ code: 'invalid_option' }))
})

it('a catalog whose types are not known to the compiler allows every event', async () => {
  const definitions = Object.fromEntries(['a', 'b'].map((name) => [name, event({ schema: z.object({}) })]))
  const { db } = await rig()
  const queue = { async send() {} }
  const engine = createEngine({ db, queue, secrets: TEST_KEYS, catalog: defineEvents(definitions) })
  const { eventId } = await engine.publish({ type: 'a', workspaceId: 'w1', data: { n: 1 } })
  expect(eventId).toMatch(/^evt_/)
})
