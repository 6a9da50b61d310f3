// How lists of delivered deliveries, lists of attempts, and one delivery find attempts beside those of other workspaces, in a table that was never
// analyzed, or was analyzed while it was nearly empty. SQLite shows the access paths; Postgres also the rows that were read.
import { expect, it } from 'vitest'
import type { Engine } from '../src/index.ts'
import { listDeliveries } from '../src/lib/deliveries/list-deliveries.ts'
import { readHistory } from '../src/lib/history/history-options.ts'
import { ATTEMPTS, readsOf, recordedRig } from './plans.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const PER_MS = onPostgres ? 1_048_576n : 4096n

const idOf = (workspaceId: string, n: string): string =>
  `'evt_01910000-0000-7000-8000-' || ${onPostgres ? `lpad(${n}::text, 12, '0')` : `printf('%012d', ${n})`} || '.ep_${workspaceId}' || (${n} % 10)`

/** Attempts of a workspace, one a millisecond, a fiftieth of them failed and another of a rare type. */
function attemptsOf(workspaceId: string, place: number, count: number): string {
  const numbers = onPostgres
    ? `generate_series(1, ${count}) as numbers (n)`
    : `(with recursive n (value) as (select 1 union all select value + 1 from n where value < ${count}) select value as n from n) as numbers`
  return `insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, http_status, url)
    select (select ms from keepsend_clock) * ${PER_MS} - cast(n as bigint) * ${PER_MS} + ${place}, ${idOf(workspaceId, 'n')}, 1, '${workspaceId}', 'ep_${workspaceId}' || (n % 10),
      case n % 50 when 3 then 'c.d' else 'a.b' end, 1, 'publish', 1, 1, case n % 50 when 7 then 'retry' else 'delivered' end, 200, ''
    from ${numbers} where true`
}

const OWN = 3000

async function beside(neighbours: number, isAnalyzed: boolean) {
  const made = await recordedRig({ history: true })
  if (onPostgres) await made.exec('alter table keepsend_attempts_default set (autovacuum_enabled = off)')
  await made.exec(attemptsOf('w1', 1, OWN))
  if (isAnalyzed) await made.exec('analyze keepsend_attempts')
  await made.exec(attemptsOf('w0', 0, neighbours))
  await made.exec(attemptsOf('w2', 2, neighbours))
  return made
}

const EVENT = 'evt_01910000-0000-7000-8000-000000000250'
const DELIVERY = `${EVENT}.ep_w10`

/** Each call, the rows that it shows, and the most attempts that it may read on Postgres. */
const CALLS: [name: string, call: (engine: Engine) => Promise<{ rows: unknown[] }>, shown: number, most: number][] = [
  ['a list', ({ deliveries }) => deliveries.list('w1', { limit: 50 }), 50, 2500],
  ['a list of completed ones', ({ deliveries }) => deliveries.list('w1', { limit: 50, status: 'completed' }), 50, 2500],
  ['a list of one endpoint', ({ deliveries }) => deliveries.list('w1', { limit: 50, endpointId: 'ep_w11' }), 50, 2500],
  [
    'a list of another’s endpoint',
    ({ deliveries }) => deliveries.list('w1', { limit: 50, endpointId: 'ep_w01' }),
    0,
    10,
  ],
  ['a list of a rare type', ({ deliveries }) => deliveries.list('w1', { limit: 50, type: 'c.d' }), 40, 4500],
  ['a list of no type', ({ deliveries }) => deliveries.list('w1', { limit: 50, type: 'e.f' }), 0, 4500],
  ['a list of one event', ({ deliveries }) => deliveries.list('w1', { limit: 50, eventId: EVENT }), 1, 20],
  [
    'a list of a time',
    ({ deliveries }) => {
      const now = Date.now()
      return deliveries.list('w1', { limit: 50, since: now - 3_600_000, until: now - 1000 })
    },
    50,
    2500,
  ],
  ['one delivery', async ({ deliveries }) => ({ rows: [await deliveries.get('w1', DELIVERY)] }), 1, 20],
  [
    'a delivery with its attempts',
    async ({ deliveries }) => (await deliveries.getWithAttempts('w1', DELIVERY)).latestAttempts ?? { rows: [] },
    1,
    20,
  ],
  ['attempts', ({ attempts }) => attempts.list('w1', { limit: 50 }), 50, 200],
  ['attempts of an endpoint', ({ attempts }) => attempts.list('w1', { limit: 50, endpointId: 'ep_w11' }), 50, 200],
  ['attempts of a rare type', ({ attempts }) => attempts.list('w1', { limit: 50, type: 'c.d' }), 40, 4500],
  ['attempts of a delivery', ({ attempts }) => attempts.list('w1', { limit: 50, deliveryId: DELIVERY }), 1, 20],
  ['failures', ({ attempts }) => attempts.list('w1', { limit: 50, outcome: 'unsuccessful' }), 50, 200],
  [
    'failures of an endpoint',
    ({ attempts }) => attempts.list('w1', { limit: 50, outcome: 'unsuccessful', endpointId: 'ep_w17' }),
    50,
    200,
  ],
  [
    'a list of all workspaces',
    async ({ db }) => {
      const history = readHistory(true, false)
      const anyState = () => Promise.reject(new Error('not asked'))
      return listDeliveries(db, { limit: 50, workspaceId: undefined }, { history, anyState })
    },
    50,
    2500,
  ],
]

const PAST_OTHERS = /AUTOMATIC|Seq Scan|SCAN attempt|SCAN later/

it.each([
  ['never', 1000, false],
  ['before', 1000, true],
  ...(onPostgres
    ? ([
        ['never', 30_000, false],
        ['before', 30_000, true],
      ] as const)
    : []),
] as const)(
  'each finds attempts by an index of its own, in a table that was analyzed %s, beside twice %i of others',
  async (_, neighbours, isAnalyzed) => {
    const { engine, db, statements } = await beside(neighbours, isAnalyzed)
    for (const [name, call, shown, most] of CALLS) {
      statements()
      expect((await call(engine)).rows, name).toHaveLength(shown)
      const reads = []
      for (const statement of statements()) reads.push(...(await readsOf(db, statement, ATTEMPTS)))
      expect(reads.length, name).toBeGreaterThan(0)
      expect(
        // A scan of an empty partition reads nothing.
        reads.filter(({ by, rows }) => PAST_OTHERS.test(by) && !(onPostgres && rows === 0)),
        name,
      ).toEqual([])
      const met = reads.reduce((sum, { rows }) => sum + rows, 0)
      expect(met, name).toBeLessThanOrEqual(most)
    }
  },
  300_000,
)
