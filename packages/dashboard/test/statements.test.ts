// Each page runs a fixed number of statements, however many rows there are.
import { createTestEngine } from '@keepsend/testing'
import { expect, it } from 'vitest'
import { countStatements } from './count-statements.ts'
import { MOUNT, openDashboard } from './open-dashboard.ts'

async function filled(endpoints: number, events: number) {
  const engine = await createTestEngine({ history: true })
  const made: string[] = []
  engine.receiver.answer(({ endpointId }) => (made.indexOf(endpointId) % 2 === 1 ? 200 : 400))
  for (let n = 0; n < endpoints; n++)
    made.push((await engine.endpoints.create('w1', { url: `https://e${n}.example.com/` })).endpoint.id)
  for (let n = 0; n < events; n++) await engine.publish({ type: 'a.b', workspaceId: 'w1', data: { n } })
  await engine.deliverAll()
  const [first = ''] = made
  await engine.endpoints.setStatus('w1', first, 'disabled', { by: 'dana' })
  await engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
  const job = await engine.replays.create('w1', { what: 'failed', rate: 1 })
  const { rows } = await engine.deliveries.list('w1', { limit: 1, status: 'held' })
  const delivery = rows[0]?.id ?? ''
  return { engine, endpoint: first, delivery, event: delivery.slice(0, 40), job: job.id }
}

const few = await filled(2, 2)
const many = await filled(20, 50)

type Filled = Awaited<ReturnType<typeof filled>>

/** Each page, and its statements: the three of the navigation among them. */
const PAGES: readonly (readonly [name: string, statements: number, path: (filled: Filled) => string])[] = [
  ['overview', 10, () => ''],
  ['deliveries', 6, () => '/deliveries?time=30d'],
  ['deliveries of a filter', 5, ({ endpoint }) => `/deliveries?status=failed&workspace=w1&endpoint=${endpoint}`],
  ['delivery', 6, ({ delivery }) => `/deliveries/${delivery}`],
  ['give up', 5, ({ delivery }) => `/deliveries/${delivery}/give-up`],
  ['endpoints', 7, () => '/endpoints?workspace=w1'],
  ['endpoint', 11, ({ endpoint }) => `/endpoints/w1/${endpoint}`],
  ['edit an endpoint', 4, ({ endpoint }) => `/endpoints/w1/${endpoint}/edit`],
  ['delete an endpoint', 5, ({ endpoint }) => `/endpoints/w1/${endpoint}/delete`],
  ['problems', 5, () => '/problems'],
  ['replays', 4, () => '/replays'],
  ['replay', 4, ({ job }) => `/replays/${job}`],
  ['events', 3, () => '/events'],
  ['published', 4, () => '/published?workspace=w1'],
  ['published event', 6, ({ event }) => `/published/w1/${event}`],
  ['workspaces', 4, () => '/workspaces'],
  ['workspace', 5, () => '/workspaces/w1'],
  ['keys of a workspace', 5, () => '/workspaces/w1/keys'],
]

async function statementsOf(filling: Filled, path: string): Promise<number> {
  const { page } = await openDashboard(undefined, filling.engine)
  // The first page reads the secret of the installation.
  await page(`${MOUNT}/keys`)
  const count = countStatements(filling.engine.db)
  expect((await page(MOUNT + path)).status).toBe(200)
  return count()
}

it.each(PAGES)('%s runs %d statements, with a thousand deliveries as with four', async (_, statements, path) => {
  expect([await statementsOf(few, path(few)), await statementsOf(many, path(many))]).toEqual([statements, statements])
})

it('the count of a replay looks at its endpoints one after the other', async () => {
  expect(await statementsOf(many, '/replays/new?what=failed&workspace=w1')).toBeLessThan(5 + 3 * 20)
})
