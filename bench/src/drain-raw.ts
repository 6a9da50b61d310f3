// One round of the ceiling: the same POSTs by a bare `Pool.request` loop, nothing kept, nothing signed.
import { Pool } from 'undici'
import { payloadOf, timed } from './work.ts'

const [port = '', count = '', concurrency = ''] = process.argv.slice(2)
const events = Number(count)
const pool = new Pool(`http://127.0.0.1:${port}`, { connections: Number(concurrency) })
const bodies = Array.from({ length: events }, (_, index) => payloadOf(index))
let next = 0
const ms = await timed(async () => {
  await Promise.all(
    Array.from({ length: Number(concurrency) }, async () => {
      while (next < events) {
        const body = bodies[next++] ?? ''
        const response = await pool.request({
          method: 'POST',
          path: '/',
          headers: { 'content-type': 'application/json' },
          body,
        })
        await response.body.dump()
      }
    }),
  )
  await fetch(`http://127.0.0.1:${port}/${events}`)
})
await pool.close()
console.log(JSON.stringify({ ms, maxRssMb: process.resourceUsage().maxRSS / 1024 }))
