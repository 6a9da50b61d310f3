// One round of the drain with Keepsend: a backlog in a fresh file, then the time from start to the last settle.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DurableEventQueue, createNodeSigner, createUndiciSender, migrate, openSqlite } from '@keepsend/adapter-node'
import { createEngine, createKeyRing } from '@keepsend/engine'
import { enqueueEvents } from '@keepsend/outbox'
import { WARM_UP, eventFor, timed } from './work.ts'

const [port = '', count = '', concurrency = '', synchronous = 'FULL'] = process.argv.slice(2)

const folder = mkdtempSync(join(tmpdir(), 'keepsend-bench-'))
try {
  const db = openSqlite(join(folder, 'bench.db'), { synchronous: synchronous === 'NORMAL' ? 'NORMAL' : 'FULL' })
  await migrate(db)
  const queue = new DurableEventQueue({ db, concurrency: Number(concurrency) })
  const urlPolicy = { allowHttp: true, allowCidrs: ['127.0.0.0/8'], allowPorts: 'any' } as const
  const sender = createUndiciSender({ urlPolicy })
  const secrets = createKeyRing([{ id: 'k1', key: randomBytes(32).toString('base64') }])
  const engine = createEngine({ db, queue, sender, secrets, signer: createNodeSigner() })
  const { endpoint } = await engine.endpoints.create('bench', { url: `http://127.0.0.1:${port}/` })
  const drain = async (events: number): Promise<number> => {
    for (let from = 0; from < events; from += 500) {
      await enqueueEvents(
        db,
        Array.from({ length: Math.min(500, events - from) }, (_, index) => eventFor(endpoint.id, from + index)),
      )
    }
    return timed(async () => {
      await queue.start(engine)
      await fetch(`http://127.0.0.1:${port}/${events}`)
      await queue.stop()
    })
  }
  await drain(WARM_UP)
  const ms = await drain(Number(count))
  const { due, failed, inFlight, scheduled } = await engine.stats()
  if (due + failed + inFlight + scheduled > 0) throw new Error(`not drained: ${JSON.stringify(await engine.stats())}`)
  await sender.close()
  db.close()
  console.log(JSON.stringify({ ms, maxRssMb: process.resourceUsage().maxRSS / 1024 }))
} finally {
  rmSync(folder, { recursive: true })
}
