import type { OutboxDatabase } from '@keepsend/outbox'
import type { Covering } from './covered.ts'
import type { ErasurePlan } from './erasure-job.ts'
import { deliveriesPage } from './walks.ts'

const MAX_COUNTED = 10_000
const PAGE = 1000
// Reads of a count, of 2,000 rows each: D1 allows an invocation of the free plan 50.
const MAX_READS = 250
const MAX_BILLED_READS = 25

/** Counts the deliveries that an erasure deletes, in the way in which its steps find them. Writes nothing. */
export async function countCovered(db: OutboxDatabase, job: Covering): Promise<ErasurePlan> {
  let planned = 0
  let unsettled = 0
  let after = ''
  for (let reads = db.dialect.isBilled ? MAX_BILLED_READS : MAX_READS; reads > 0; reads--) {
    const page = await deliveriesPage(db, job, after, PAGE)
    planned += page.rows.length
    unsettled += page.rows.filter(({ isUnsettled }) => isUnsettled).length
    if (page.isLast) return { planned, unsettled, plannedMore: false }
    if (planned >= MAX_COUNTED) break
    after = page.after ?? after
  }
  return { planned, unsettled, plannedMore: true }
}
