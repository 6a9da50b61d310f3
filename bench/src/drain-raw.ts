// One round of the ceiling: the same signed POSTs by a bare `Pool.request` loop, with nothing kept.
import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { newEventId } from '@keepsend/outbox'
import { Pool } from 'undici'
import { WARM_UP, payloadOf, timed } from './work.ts'

const [port = '', count = '', concurrency = ''] = process.argv.slice(2)
const pool = new Pool(`http://127.0.0.1:${port}`, { connections: Number(concurrency) })
const key = createSecretKey(randomBytes(32))

async function send(events: number): Promise<number> {
  const work = Array.from({ length: events }, (_, index) => ({ id: newEventId(), body: payloadOf(index) }))
  let next = 0
  return timed(async () => {
    await Promise.all(
      Array.from({ length: Number(concurrency) }, async () => {
        for (let one = work[next++]; one; one = work[next++]) {
          const timestamp = String(Math.floor(Date.now() / 1000))
          const signature = createHmac('sha256', key).update(`${one.id}.${timestamp}.${one.body}`).digest('base64')
          const headers = {
            'content-type': 'application/json',
            'user-agent': 'raw',
            'webhook-id': one.id,
            'webhook-timestamp': timestamp,
            'webhook-signature': `v1,${signature}`,
          }
          const response = await pool.request({ method: 'POST', path: '/', headers, body: one.body })
          await response.body.dump()
        }
      }),
    )
    await fetch(`http://127.0.0.1:${port}/${events}`)
  })
}

await send(WARM_UP)
const ms = await send(Number(count))
await pool.close()
console.log(JSON.stringify({ ms, maxRssMb: process.resourceUsage().maxRSS / 1024 }))
