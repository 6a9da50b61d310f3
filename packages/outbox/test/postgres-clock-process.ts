// A process whose clock is wrong: it claims and settles until nothing is left, and reports its results.
import pg from 'pg'
import { claimDueEvents, outboxStats, rescheduleEvent, settleEvents } from '../src/index.ts'
import { fromPostgres } from '../src/postgres.ts'

export interface ClockReport {
  clock: number
  settled: string[]
  lost: number
}

const [url = '', aheadMs = '0'] = process.argv.slice(2)
const real = Date.now
Date.now = () => real() + Number(aheadMs)

const pool = new pg.Pool({ connectionString: url, max: 2 })
const db = fromPostgres(pool)
const report: ClockReport = { clock: Date.now(), settled: [], lost: 0 }
const seen = new Set<string>()

// Each row is rescheduled once, by a short time: by the clock of a process it would be due ten minutes early or late.
for (;;) {
  const { claims } = await claimDueEvents(db, { limit: 7, leaseMs: 60_000 })
  for (const claim of claims.filter(({ attempts }) => attempts === 1)) {
    seen.add(claim.id)
    await rescheduleEvent(db, claim, { delayMs: 1, error: 'once more' })
  }
  const again = claims.filter(({ attempts }) => attempts > 1)
  const { lost } = await settleEvents(
    db,
    again.map((claim) => ({ settle: 'complete', claim })),
  )
  report.lost += lost.length
  report.settled.push(...again.filter((claim) => !lost.includes(claim)).map(({ id }) => id))
  if (claims.length > 0) continue
  const { due, scheduled, inFlight } = await outboxStats(db)
  if (due + scheduled + inFlight === 0) break
}
await pool.end()
process.send?.(report)
process.disconnect()
