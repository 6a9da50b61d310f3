import { SPAN_MS } from '../src/lib/statistics/spans.ts'
import type { AttemptOutcome, Span, StatisticsCounts } from '../src/index.ts'
import { type Rig, rig } from './rig.ts'

export const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const PER_MS = onPostgres ? 1_048_576n : 4096n

/** A Tuesday, 12:00. */
export const NOON = Date.UTC(2027, 2, 2, 12)

/** An attempt, as the statistics see it. */
export interface Made {
  at: number
  workspaceId: string
  endpointId: string
  outcome: AttemptOutcome
  reason: 'publish' | 'retry' | 'replay' | 'test'
  totalUs: number
}

/** An engine with history, whose database's clock stands at a time that the test sets. */
export async function counted(options: Parameters<typeof rig>[0] = {}) {
  const made = await rig({ history: true, ...options })
  return { ...made, ...statisticsOf(made) }
}

export function statisticsOf(made: Pick<Rig, 'exec' | 'engine'>) {
  let places = 0
  return {
    setClock: async (ms: number): Promise<void> => {
      if (!onPostgres) await made.exec('drop view keepsend_clock')
      const create = onPostgres ? 'create or replace view' : 'create view'
      await made.exec(`${create} keepsend_clock as select cast(${ms} as bigint) as ms`)
    },
    /** Inserts attempts, as settles at these times would have. */
    add: async (attempts: readonly Partial<Made>[]): Promise<Made[]> => {
      const whole = attempts.map((one) => ({ ...ATTEMPT, ...one }))
      for (let part = 0; part < whole.length; part += 2000) {
        const values = whole
          .slice(part, part + 2000)
          .map(({ at, workspaceId, endpointId, outcome, reason, totalUs }) => {
            places = (places + 1) % 4096
            const id = BigInt(at) * PER_MS + BigInt(places)
            return `(${id}, 'd${id}', 1, '${workspaceId}', '${endpointId}', 'a.b', 1, '${reason}', ${at}, ${totalUs}, '${outcome}', 'https://a.example/')`
          })
        await made.exec(`
          insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, url)
          values ${values.join(', ')}`)
      }
      return whole
    },
    /** Rounds of maintenance until one has nothing left. */
    rollUp: async (): Promise<number[]> => {
      const counts: number[] = []
      for (;;) {
        const { countedAttempts, more } = await made.engine.worker.maintain()
        counts.push(countedAttempts)
        if (!more) return counts
      }
    },
  }
}

const ATTEMPT: Made = {
  at: NOON,
  workspaceId: 'w1',
  endpointId: 'ep_1',
  outcome: 'delivered',
  reason: 'publish',
  totalUs: 50_000,
}

const NAME = { delivered: 'delivered', retry: 'retried', deferred: 'deferred', failed: 'failed' } as const

export const NOTHING: StatisticsCounts = { delivered: 0, retried: 0, deferred: 0, failed: 0, replayed: 0, tested: 0 }

/** The counts of attempts, as the test makes them itself. */
export function countsOf(attempts: readonly Made[]): StatisticsCounts {
  const counts = { ...NOTHING }
  for (const { outcome, reason } of attempts) {
    if (outcome === 'superseded') continue
    counts[reason === 'replay' ? 'replayed' : reason === 'test' ? 'tested' : NAME[outcome]]++
  }
  return counts
}

/** The counts of each minute, hour or day that has attempts. */
export function bucketsOf(attempts: readonly Made[], by: Span): [at: number, StatisticsCounts][] {
  const standing = attempts.filter(({ outcome }) => outcome !== 'superseded')
  const times = Map.groupBy(standing, ({ at }) => Math.floor(at / SPAN_MS[by]) * SPAN_MS[by])
  return [...times].sort(([one], [other]) => one - other).map(([at, all]) => [at, countsOf(all)])
}

/** The nearest rank of the durations, in ms. */
export function exactMs(attempts: readonly Made[], share: number): number {
  const sorted = attempts
    .filter(({ reason, outcome }) => reason !== 'replay' && reason !== 'test' && outcome !== 'superseded')
    .map(({ totalUs }) => totalUs)
    .sort((one, other) => one - other)
  return (sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN) / 1000
}

/** The delivered attempts in the sums of a span, of all workspaces. */
export async function totalOf({ select }: Pick<Rig, 'select'>, span: Span): Promise<unknown> {
  const [row] = await select(`
    select cast(sum(delivered) as integer) as delivered from keepsend_statistics
    where span = '${span}' and workspace_id = '' and endpoint_id = ''`)
  return row?.['delivered']
}

/** A number generator with a seed, 0 to below 1. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
