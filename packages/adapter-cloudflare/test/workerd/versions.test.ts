// Versions of events on D1: each endpoint gets that of its label, whichever way the event comes.
import { defineEvents, event } from '@keepsend/engine'
import { env } from 'cloudflare:workers'
import { newEventId, toSql } from '@keepsend/outbox'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, it } from 'vitest'
import { faulty } from './faulty.ts'
import { type Hook, type RigOptions, rig } from './rig.ts'

interface Message {
  text: string
  author: { id: string }
}

const schema = {
  '~standard': {
    version: 1,
    vendor: 'own',
    types: undefined as { input: Message; output: Message } | undefined,
    validate: (value: unknown) => ({ value: value as Message }),
  },
} as const

const catalog = defineEvents(
  {
    'message.created': event({ schema })
      .olderVersion('v2', { convert: ({ text, author }) => ({ text, authorId: author.id }) })
      .olderVersion('v1', {
        convert({ text, authorId }) {
          if (text === 'throw') throw new TypeError('no')
          return { body: text, user: authorId }
        },
      }),
  },
  { versions: ['v1', 'v2', 'v3'] },
)

const created = (text = 'hello') => ({
  id: newEventId(),
  type: 'message.created',
  workspaceId: 'w',
  data: { text, author: { id: 'u1' } },
})

const SENT = [
  ['v1', { body: 'hello', user: 'u1' }],
  ['v2', { text: 'hello', authorId: 'u1' }],
  ['v3', { text: 'hello', author: { id: 'u1' } }],
]

async function world(options: RigOptions = {}) {
  const made = await rig({ ...options, engine: { catalog, ...options.engine } })
  const hooks: Hook[] = []
  for (const eventVersion of ['v1', 'v2', 'v3']) hooks.push(await made.addEndpoint({ status: 200 }, { eventVersion }))
  const arrived = async (arrivalOf = 0) => {
    const found = []
    for (const hook of hooks) {
      const arrival = (await hook.arrivals())[arrivalOf]
      expect(arrival?.verified).toBe(true)
      const { data } = JSON.parse(arrival?.body ?? '{}') as { data: unknown }
      found.push([arrival?.headers['webhook-version'], data])
    }
    return found
  }
  return { ...made, hooks, arrived }
}

/** Waits for the dispatch. */
async function dispatched(work: (background: (one: Promise<void>) => void) => Promise<unknown>): Promise<void> {
  const begun: Promise<void>[] = []
  await work((one) => void begun.push(one))
  await Promise.all(begun)
}

describe.each<[string, NonNullable<RigOptions['engine']>]>([
  ['without history', {}],
  ['with events in the history', { history: { events: true, attempts: 'all' } }],
])('on D1, %s, each endpoint gets the version of its label', (_, engine) => {
  it('of an event that is committed, published, and sent to the queue without rows', async () => {
    const { d1, judge } = faulty(env.DB)
    const made = await world({ engine, wrap: () => fromD1(d1) })
    await dispatched((background) => made.engine.commit({ writes: [], events: [created()], background }))
    await dispatched((background) => made.engine.publish(created(), background))
    await made.consume()
    judge(({ verbs }) => (verbs.includes('insert') ? 'refused' : 'well'))
    await dispatched((background) => made.engine.publish(created(), background))
    judge()
    expect(made.sent).toHaveLength(1)
    await made.consume()
    await made.consume()
    for (const arrival of [0, 1, 2]) expect(await made.arrived(arrival)).toEqual(SENT)
    expect(await made.rows()).toEqual([])
  })

  it('of statements in a batch of the host', async () => {
    const made = await world({ engine })
    const one = created()
    const statements = made.engine.publishStatements(one).map((statement) => {
      const { sql, params } = toSql(statement, 'sqlite')
      return env.DB.prepare(sql).bind(...params)
    })
    await env.DB.batch(statements)
    await made.engine.dispatch(one.id)
    await made.consume()
    expect(await made.arrived()).toEqual(SENT)
  })

  it('and a converter that throws refuses the publish, and nothing is written', async () => {
    const made = await world({ engine })
    await expect(made.engine.commit({ writes: [], events: [created('throw')] })).rejects.toMatchObject({
      code: 'invalid_option',
    })
    const { results } = await env.DB.prepare('select id from keepsend_payloads').all()
    expect([results, await made.rows()]).toEqual([[], []])
  })
})

it('a replay on D1 sends a delivered copy again', async () => {
  const made = await world({ engine: { history: { events: true, attempts: 'all' } } })
  const one = created()
  await dispatched((background) => made.engine.commit({ writes: [], events: [one], background }))
  await made.consume()
  for (const { endpointId } of made.hooks) await made.engine.deliveries.replay('w', `${one.id}.${endpointId}`)
  const rows = await made.rows()
  expect(rows.map(({ version, convertTo }) => [version, convertTo])).toEqual([
    ['v1', null],
    ['v2', null],
    ['v3', null],
  ])
})
