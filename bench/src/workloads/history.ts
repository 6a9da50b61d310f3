import { costsOnD1 } from '../history/d1.ts'
import { drainWithHistory } from '../history/drain.ts'
import { listsOfHistory } from '../history/lists.ts'
import type { Bench, Findings } from '../workload.ts'

/** The costs of history: of a delivery, of a stored attempt, of each list beside more and more of them, and of clean-up. */
export async function history(bench: Bench): Promise<Findings> {
  const d1 = await costsOnD1(bench)
  const parts = [await drainWithHistory(bench), await listsOfHistory(bench)]
  return {
    title: 'history: attempts recorded with the defaults, beside none; lists as whole answers of the HTTP API',
    rows: [...d1, ...parts.flatMap(({ rows }) => rows)],
    targets: parts.flatMap(({ targets }) => targets),
    missing: Object.assign({}, ...parts.map(({ missing }) => missing)),
  }
}
