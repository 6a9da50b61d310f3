import { fileURLToPath } from 'node:url'
import type { EngineOptions } from '@keepsend/engine'
import { runAlone } from '../alone.ts'
import type { Meter } from '../d1-meter.ts'
import { type Bench, type Findings, type Row, median } from '../workload.ts'

/** The options of processes/d1.ts. */
export interface D1Ask extends D1Run {
  /** Path of the wrangler.jsonc that names the database. */
  configPath: string
}

export interface D1Run {
  receiver: string
  history?: EngineOptions['history']
  /** Number for each size. */
  batches: number
  batchSizes: readonly number[]
}

export type D1Found = { batchSize: number; published: Meter; consumed: Meter }[]

const BATCH_SIZES = [1, 10, 100]

/** Deliveries that succeed immediately, on a local D1: rows written and calls, as D1 reports them. */
export async function d1(bench: Bench): Promise<Findings> {
  const found = await runOnD1(bench, {
    receiver: bench.receiver.url,
    batches: bench.quick ? 2 : 5,
    batchSizes: BATCH_SIZES,
  })
  const of = (size: number, count: (batch: D1Found[number]) => number): number =>
    median(found.filter(({ batchSize }) => batchSize === size).map(count))
  const rows = BATCH_SIZES.map((size): Row => ({
    name: `batch of ${size}`,
    figures: {
      'rows written/delivery': of(size, writtenEach),
      'rows read/delivery': of(size, ({ published, consumed }) => (published.rowsRead + consumed.rowsRead) / size),
      'statements/publish': of(size, ({ published }) => published.statements / size),
      'statements/batch': of(size, ({ consumed }) => consumed.statements),
      'calls/batch': of(size, ({ consumed }) => consumed.calls),
    },
  }))
  return {
    title: 'd1: deliveries that succeed immediately, on the D1 of local workerd, by its own count',
    rows,
    missing: {},
    targets: [
      {
        what: 'd1: rows written for a delivery, in batches of 10',
        found: of(10, writtenEach),
        should: { atMost: 2 },
      },
      {
        what: 'd1: statements for a batch of 10 (two reads, a settle for each five)',
        found: of(10, ({ consumed }) => consumed.statements),
        should: { atMost: 4 },
      },
    ],
  }
}

/** Delivers on a new local D1, and returns what each batch wrote and read. */
export async function runOnD1({ stores }: Bench, run: D1Run): Promise<D1Found> {
  const place = await stores.take('folder')
  try {
    const configPath = fileURLToPath(new URL('../../wrangler.jsonc', import.meta.url))
    return await runAlone<D1Found>('d1', { ...run, configPath } satisfies D1Ask, { env: offline(place.at) })
  } finally {
    await place.release()
  }
}

export function writtenEach({ batchSize, published, consumed }: D1Found[number]): number {
  return (published.rowsWritten + consumed.rowsWritten) / batchSize
}

/** Wrangler prompts and reports nothing, and stores its state in the folder. */
function offline(folder: string): Record<string, string> {
  return {
    CI: '1',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    TMPDIR: folder,
    WRANGLER_LOG_PATH: folder,
    WRANGLER_REGISTRY_PATH: folder,
    WRANGLER_SEND_ERROR_REPORTS: 'false',
    WRANGLER_SEND_METRICS: 'false',
    XDG_CONFIG_HOME: folder,
  }
}
