import { type D1Found, runOnD1, writtenEach } from '../workloads/d1.ts'
import { type Bench, type Row, median } from '../workload.ts'

const BATCH = 10
const OPTIONS = { off: false, 'with its default': true, "with attempts: 'all'": { attempts: 'all' } } as const

/** Rows that D1 bills for a delivery, that succeeds immediately and that fails, by option. */
export async function costsOnD1(bench: Bench): Promise<Row[]> {
  const rows: Row[] = []
  const unreachable = 'http://127.0.0.1:1/'
  for (const [option, history] of Object.entries(OPTIONS)) {
    const each = async (receiver: string): Promise<number> => {
      const found = await runOnD1(bench, { receiver, history, batches: bench.quick ? 2 : 5, batchSizes: [BATCH] })
      return median(found.map((batch: D1Found[number]) => writtenEach(batch)))
    }
    rows.push({
      name: `D1: history ${option}, in batches of ${BATCH}`,
      figures: { 'rows, delivered': await each(bench.receiver.url), 'rows, failed': await each(unreachable) },
    })
  }
  return rows
}
