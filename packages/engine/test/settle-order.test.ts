// The statements of a settle hang on each other: the comments of `settleDeliveries` number its steps and say why.
import { type Statement, claimDueEvents, toSql } from '@keepsend/outbox'
import type { SqlText } from '@keepsend/outbox/internal'
import { expect, it } from 'vitest'
import type { DeliveryOutcome, FinishedDelivery } from '../src/index.ts'
import { rig } from './rig.ts'

const HOLD: DeliveryOutcome = { kind: 'hold', reason: 'rate_limited' }

/** What each statement is for, by its text; the reports by the type that they publish. */
const STEPS: [step: string, is: (statement: SqlText) => boolean][] = [
  ['1 lock deliveries', ({ sql }) => sql.startsWith('select id from pending_events as delivery')],
  ['1 lock endpoints', ({ sql }) => sql.startsWith('select id from keepsend_endpoints as endpoint')],
  ['2 count', ({ sql }) => sql.startsWith('update keepsend_endpoints set failing_since')],
  ['2 report the circuit', (statement) => reports(statement, 'keepsend.endpoint.circuit_opened')],
  ['2 open the circuit', ({ sql }) => sql.startsWith("update keepsend_endpoints set circuit = 'open'")],
  ['3 report the disabling', (statement) => reports(statement, 'keepsend.endpoint.disabled')],
  ['3 disable', ({ sql }) => sql.startsWith("update keepsend_endpoints set status = 'disabled'")],
  ['4 report a failed delivery', (statement) => reports(statement, 'keepsend.delivery.failed')],
  ['5 settle what is complete', ({ sql }) => sql.startsWith('delete from pending_events')],
  ['5 settle the others', ({ sql }) => sql.includes('update pending_events set status = to_status')],
  ['6 hold the backlog', ({ sql }) => sql.includes("set status = 'held'") && sql.includes('claimed_at is null')],
  ['6 give a time to resume', ({ sql }) => sql.startsWith('update keepsend_endpoints set resume_at')],
  [
    '7 resume what nothing blocks',
    ({ sql }) =>
      sql.startsWith("update pending_events set status = 'pending'") &&
      sql.includes('pending_events.hold_reason not in'),
  ],
  [
    '8 resume for the room',
    ({ sql }) => sql.startsWith('with picked as') && sql.includes('from pending_events as held'),
  ],
  ['9 claim', ({ sql }) => sql.includes('set gen = gen + 1, ready = 0, crashes = crashes +')],
]

function reports({ sql, params }: SqlText, type: string): boolean {
  return /insert into (pending_events|keepsend_payloads)/.test(sql) && params.includes(type)
}

it('an eventful settle locks, changes endpoints while the claims stand, settles, resumes, and claims last', async () => {
  const recorded: Statement[] = []
  const made = await rig({
    answer: ({ url }) => (url.includes('gone') ? 410 : url.includes('bad') ? 500 : 200),
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
  // A held row, and with it a time to resume: the next attempt of that endpoint makes room.
  const [before] = await attempt([good])
  await made.engine.worker.settle(before ? [{ ...before, outcome: HOLD }] : [])

  const finished = await attempt([good, bad, bad, gone, busy, busy, busy, busy])
  recorded.length = 0
  const claim = { lanes: [good, busy].map((endpointId) => ({ workspaceId: 'w1', endpointId, count: 10 })) }
  const { claimed } = await made.engine.worker.settle(finished, { claim })
  expect(claimed.claims.map(({ endpointId }) => endpointId)).toEqual([good])
  // A report is two statements on SQLite.
  const steps = recorded.map(stepOf).filter((step, at, all) => step !== all[at - 1])
  expect(steps).toEqual([
    ...(made.db.dialect.name === 'postgres' ? ['1 lock deliveries', '1 lock endpoints'] : []),
    '2 count',
    '2 report the circuit',
    '2 open the circuit',
    '3 report the disabling',
    '3 disable',
    '4 report a failed delivery',
    '5 settle what is complete',
    '5 settle the others',
    '6 hold the backlog',
    '6 give a time to resume',
    '7 resume what nothing blocks',
    '8 resume for the room',
    '9 claim',
  ])
})

function stepOf(statement: Statement): string {
  const { sql, params } = toSql(statement, 'sqlite')
  const text = { sql: sql.replaceAll(/\s+/g, ' ').trim(), params }
  return STEPS.find(([, is]) => is(text))?.[0] ?? text.sql
}
