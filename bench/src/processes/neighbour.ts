// A process of the workload `neighbours`: publishes, delivers or makes noise, as requested.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type PostgresDatabase, migrate, openPostgres, openSqlite } from '@keepsend/adapter-node'
import type { OutboxDatabase } from '@keepsend/outbox'
import { answerAsks } from '../ask.ts'
import { createBenchEngine } from '../engine.ts'
import { fill } from '../fill.ts'
import type { NeighbourAsks, NeighbourSetup, Published } from '../neighbours/protocol.ts'

const { store, place } = JSON.parse(process.argv[2] ?? '{}') as NeighbourSetup

await answerAsks<NeighbourAsks>(async () => {
  const db: OutboxDatabase & Partial<Pick<PostgresDatabase, 'announce'>> =
    store === 'sqlite' ? openSqlite(join(place, 'bench.db')) : await openPostgres({ url: place })
  await migrate(db)
  const { engine, queue, seed, publish } = createBenchEngine(db)
  let published = 0
  return {
    async start() {
      await queue.start(engine)
      return undefined
    },
    async create({ workspaceId, endpoints }) {
      const ids: string[] = []
      // A hundred share a commit of SQLite; more would wait too long for a connection of Postgres.
      for (let first = 0; first < endpoints.length; first += 100) {
        const some = endpoints.slice(first, first + 100)
        const made = await Promise.all(some.map((endpoint) => engine.endpoints.create(workspaceId, endpoint)))
        ids.push(...made.map(({ endpoint }) => endpoint.id))
      }
      return ids
    },
    async enable({ workspaceId, endpointId, isEnabled }) {
      await engine.endpoints.setStatus(workspaceId, endpointId, isEnabled ? 'enabled' : 'disabled')
      return undefined
    },
    async seed({ lanes, events, type }) {
      await seed(lanes, events, { type })
      db.announce?.()
      return undefined
    },
    async fill({ kind, count, ...lane }) {
      await fill(db, kind, count, lane)
      return undefined
    },
    async post({ workspaceId, events }) {
      const body = JSON.stringify(
        Array.from({ length: events }, (_, index) => ({ type: 'message.created', data: { index } })),
      )
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${await keyOf(workspaceId)}` }
      const response = await engine.routes.request('/events', { method: 'POST', headers, body })
      if (response.status !== 202) throw new Error(`POST /events answered ${response.status}: ${await response.text()}`)
      return undefined
    },
    async publish({ workspaceId }) {
      await publish(workspaceId, published++)
      return undefined
    },
    async publishFor({ workspaceId, everyMs, ms }) {
      const commits: Promise<Published>[] = []
      const start = performance.now()
      for (let at = 0; at < ms; at += everyMs) {
        const dueIn = start + at - performance.now()
        if (dueIn > 0) await delay(dueIn)
        commits.push(publish(workspaceId, published++).then((id) => [id, Number(process.hrtime.bigint()) / 1e6]))
      }
      return Promise.all(commits)
    },
    async replay({ workspaceId, endpointId }) {
      await engine.replays.create(workspaceId, { what: 'failed', endpointId })
      return undefined
    },
    held: async () => (await engine.stats()).held,
  }

  async function keyOf(workspaceId: string): Promise<string> {
    const { key } = await engine.apiKeys.create({ workspaceId, name: 'bench', scopes: ['events:write'] })
    return key
  }
})
