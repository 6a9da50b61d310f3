import { createDashboard, createPortal } from '@keepsend/dashboard'
import type { Engine } from '@keepsend/engine'
import type { OutboxDatabase } from '@keepsend/outbox'
import { raw, sqlText } from '@keepsend/outbox/internal'
import { Hono } from 'hono'
import { createBenchEngine } from '../engine.ts'
import { ENDPOINTS, LARGE, endpointOf } from '../history/fill.ts'
import type { BenchPage } from './paths.ts'

/** The dashboard, and the portal as a customer of the large workspace sees it. */
export interface OpenPages {
  engine: Engine
  /** @param at the number of the repetition @throws if the answer is not 200 */
  textOf: (page: BenchPage, at: number) => Promise<string>
}

const ORIGIN = 'https://bench.example.com'
const FAILED = 200

/** Opens the pages of a database that `fillHistory` has filled, and adds the endpoints that its attempts name. */
export async function openPages(db: OutboxDatabase): Promise<OpenPages> {
  const { engine } = createBenchEngine(db, { history: true })
  await addEndpoints(db, engine)
  const app = new Hono()
  app.route('/dashboard', createDashboard({ engine, authorize: () => ({ name: 'bench', role: 'act' }) }))
  app.route('/portal', createPortal({ engine, name: 'Bench' }))
  const { token } = await engine.portalLinks.create(LARGE, { uses: 'many' })
  const entered = await app.request(`${ORIGIN}/portal/enter/${token}`)
  const cookie = entered.headers
    .getSetCookie()
    .map((one) => one.split(';')[0])
    .join('; ')
  const { rows } = await engine.deliveries.list(LARGE, { status: 'failed', limit: FAILED })
  const failed = rows.map(({ id }) => id)
  return {
    engine,
    async textOf({ name, of, path }, at) {
      const response = await app.request(`${ORIGIN}/${of}${path(at, failed)}`, { headers: { cookie } })
      const text = await response.text()
      if (response.status !== 200) throw new Error(`${name} answered ${response.status}: ${text.slice(0, 500)}`)
      return text
    },
  }
}

/** The endpoints of the large workspace, under the ids that its attempts name. */
async function addEndpoints(db: OutboxDatabase, engine: Engine): Promise<void> {
  for (let number = 0; number < ENDPOINTS; number++) {
    const { endpoint } = await engine.endpoints.create(LARGE, { url: `https://hooks.example.com/keepsend/${number}` })
    for (const [table, column] of [
      ['keepsend_endpoints', 'id'],
      ['keepsend_secrets', 'endpoint_id'],
    ] as const)
      await db.run(
        sqlText`update ${raw(table)} set ${raw(column)} = ${endpointOf(number)} where ${raw(column)} = ${endpoint.id}`,
      )
  }
}
