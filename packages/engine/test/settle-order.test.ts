// The statements of a settle depend on each other: the comment of `settleDeliveries` numbers its steps and gives the reasons.
import { type Statement, claimDueEvents, toSql } from '@keepsend/outbox'
import type { SqlText } from '@keepsend/outbox/internal'
import { expect, it } from 'vitest'
import type { DeliveryOutcome, FinishedDelivery } from '../src/index.ts'
import { rig } from './rig.ts'

const HOLD: DeliveryOutcome = { kind: 'hold', reason: 'rate_limited' }

/** The purpose of each statement, by its text; operational webhooks by the type that they publish. */
const STEPS: [step: string, is: (statement: SqlText) => boolean][] = [
  ['1 lock deliveries', ({ sql }) => sql.startsWith('select id from pending_events as delivery')],
  ['1 lock endpoints', ({ sql }) => sql.startsWith('select id from keepsend_endpoints as endpoint')],
  ['2 count', ({ sql }) => sql.startsWith('update keepsend_endpoints set failing_since')],
  ['2 notify of the circuit', (statement) => notifies(statement, 'keepsend.endpoint.circuit_opened')],
  ['2 open the circuit', ({ sql }) => sql.startsWith("update keepsend_endpoints set circuit = 'open'")],
  ['2 notify of the disabling', (statement) => notifies(statement, 'keepsend.endpoint.disabled')],
  ['2 disable', ({ sql }) => sql.startsWith("update keepsend_endpoints set status = 'disabled'")],
  ['2 notify of a failed delivery', (statement) => notifies(statement, 'keepsend.delivery.failed')],
  ['2 record the attempts', ({ sql }) => sql.startsWith('insert into keepsend_attempts')],
  ['2 count the problems', ({ sql }) => sql.startsWith('insert into keepsend_problems')],
  ['3 settle completed rows', ({ sql }) => sql.startsWith('delete from pending_events')],
  ['3 settle the other rows', ({ sql }) => sql.includes('update pending_events set status = to_status')],
  ['4 hold the backlog', ({ sql }) => sql.includes("set status = 'held'") && sql.includes('claimed_at is null')],
  ['4 set a time to resume', ({ sql }) => sql.startsWith('update keepsend_endpoints set resume_at')],
  [
    '5 resume unblocked rows',
    ({ sql }) =>
      sql.startsWith("update pending_events set status = 'pending'") &&
      sql.includes('pending_events.hold_reason not in'),
  ],
  [
    '6 resume in place of settled rows',
    ({ sql }) => sql.startsWith('with picked as') && sql.includes('from pending_events as held'),
  ],
  ['7 claim', ({ sql }) => sql.includes('set gen = gen + 1, ready = 0, crashes = crashes +')],
]

function notifies({ sql, params }: SqlText, type: string): boolean {
  return /insert into (pending_events|keepsend_payloads)/.test(sql) && params.includes(type)
}

it('an eventful settle locks, changes endpoints while the claims are current, settles, resumes, and claims last', async () => {
  const recorded: Statement[] = []
  const made = await rig({
    answer: ({ url }) => (url.includes('gone') ? 410 : url.includes('bad') ? 500 : 200),
    // Without events, of which each notification would be one.
    history: { events: false },
    operatorWorkspaceId: 'operator',
    circuit: { failuresInRow: 2 },
    wrap: (db) => ({
      ...db,
      atomic(statements) {
        recorded.push(...statements)
        return db.atomic(statements)
      },
    }),
  })
  const add = async (name: string) => (await made.addEndpoint({ url: `https://${name}.example.com/` })).id
  const [good, bad, gone, busy] = [await add('good'), await add('bad'), await add('gone'), await add('busy')]
  const attempt = async (endpointIds: string[]): Promise<FinishedDelivery[]> => {
    for (const id of endpointIds) await made.engine.publishTest('w1', id)
    const { claims } = await claimDueEvents(made.db, { limit: 100 })
    return Promise.all(
      claims.map(async (claim) => ({
        claim,
        outcome: claim.endpointId === busy ? HOLD : await made.engine.worker.deliver(claim, claim.claimedAt),
      })),
    )
  }
  // A held row and a time to resume: a settle of that endpoint resumes held rows.
  const [before] = await attempt([good])
  await made.engine.worker.settle(before ? [{ ...before, outcome: HOLD }] : [])

  const finished = await attempt([good, bad, bad, gone, busy, busy, busy, busy])
  recorded.length = 0
  const claim = { lanes: [good, busy].map((endpointId) => ({ workspaceId: 'w1', endpointId, count: 10 })) }
  const { claimed } = await made.engine.worker.settle(finished, { claim })
  expect(claimed.claims.map(({ endpointId }) => endpointId)).toEqual([good])
  // An operational webhook is two statements on SQLite.
  const steps = recorded.map(stepOf).filter((step, at, all) => step !== all[at - 1])
  expect(steps).toEqual([
    ...(made.db.dialect.name === 'postgres' ? ['1 lock deliveries', '1 lock endpoints'] : []),
    '2 count',
    '2 notify of the circuit',
    '2 open the circuit',
    '2 notify of the disabling',
    '2 disable',
    '2 notify of a failed delivery',
    '2 record the attempts',
    '2 count the problems',
    '3 settle completed rows',
    '3 settle the other rows',
    '4 hold the backlog',
    '4 set a time to resume',
    '5 resume unblocked rows',
    '6 resume in place of settled rows',
    '7 claim',
  ])
})

function stepOf(statement: Statement): string {
  const { sql, params } = toSql(statement, 'sqlite')
  const text = { sql: sql.replaceAll(/\s+/g, ' ').trim(), params }
  return STEPS.find(([, is]) => is(text))?.[0] ?? text.sql
}
