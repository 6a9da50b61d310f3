import type { ClaimRef, OutboxDatabase } from '@keepsend/outbox'
import type { SqlText } from '@keepsend/outbox/internal'
import {
  type CircuitOptions,
  type Tally,
  circuitIsOpen,
  closeCircuitStatement,
  disableFailingStatement,
  endProbeStatement,
  failingFor,
  openCircuitStatement,
  recordAttemptsStatement,
  shouldOpen,
  warnStatement,
} from './circuit-breaker.ts'
import type { DeliveryOutcome, EndpointChange, FinishedDelivery } from '../outcome.ts'
import type { Notifier } from './operational-webhooks.ts'
import { jittered } from '../retry-schedule.ts'

/** A statement and, if an operator should see its effect, the change to log when it changes a row. */
export interface EndpointStatement {
  statement: SqlText
  makes?: EndpointChange
}

// Percent of `disableAfterMs` at which `keepsend.endpoint.failing` is sent.
const WARNINGS = [90, 75, 50]

/**
 * The statements that update the health of endpoints after attempts: first the counters, then the changes that follow from
 * them. Each change has its notification before it, whose condition the change would make false. An endpoint that is and
 * stays healthy has none.
 */
export function healthStatements(
  db: OutboxDatabase,
  { circuit, notifier, random }: { circuit: CircuitOptions; notifier: Notifier | undefined; random: () => number },
  finished: readonly FinishedDelivery[],
): { endpointIds: string[]; statements: EndpointStatement[] } {
  const endpointIds: string[] = []
  const statements: EndpointStatement[] = []
  for (const group of byEndpoint(finished)) {
    const tally = tallyOf(group)
    const facts = group.flatMap(({ outcome }) => outcome.attempt ?? [])
    const { failed, succeeded, trailing, endpointId } = tally
    const waitMs = jittered(circuit.openMs, random)
    const probes = group.filter(({ outcome }) => outcome.attempt?.probe && healthSignalOf(outcome) !== 'success')
    const counts = failed.length > 0 || facts.some(({ failing }) => failing)
    if (!counts && probes.length === 0) continue
    endpointIds.push(endpointId)
    if (counts) statements.push({ statement: recordAttemptsStatement(db, tally, circuit) })
    if (counts && succeeded.length > 0 && trailing === 0 && facts.some(({ circuitOpen }) => circuitOpen)) {
      const recovered = notifier?.endpoint({
        type: 'keepsend.endpoint.recovered',
        endpointId,
        claims: succeeded,
        condition: circuitIsOpen(tally),
      })
      statements.push(...unlogged(recovered), {
        statement: closeCircuitStatement(db, tally),
        makes: { change: 'circuit closed', endpointId },
      })
    }
    if (trailing > 0) {
      const opened = shouldOpen(tally, circuit)
      statements.push(
        ...unlogged(
          notifier?.endpoint({
            type: 'keepsend.endpoint.circuit_opened',
            endpointId,
            claims: failed,
            condition: opened,
          }),
        ),
        {
          statement: openCircuitStatement(db, tally, circuit, waitMs),
          makes: { change: 'circuit opened', endpointId, probeInMs: waitMs },
        },
        ...warnOrDisable(db, circuit, notifier, tally, facts),
      )
    }
    for (const { claim, outcome } of probes) {
      // 'neither': the receiver is alive and refused this body only, so the next probe is sent immediately.
      statements.push({
        statement: endProbeStatement(db, endpointId, claim, healthSignalOf(outcome) === 'neither' ? 0 : waitMs),
      })
    }
  }
  return { endpointIds, statements }
}

/** Warns of, or disables, an endpoint that has failed long enough. This only decides whether to ask; the statement decides. */
function warnOrDisable(
  db: OutboxDatabase,
  circuit: CircuitOptions,
  notifier: Notifier | undefined,
  tally: Tally,
  facts: readonly { failingSince: number | null; at: number }[],
): EndpointStatement[] {
  const ages = facts.map(({ failingSince, at }) => (failingSince === null ? 0 : at - failingSince))
  const percent = (Math.max(...ages) / circuit.disableAfterMs) * 100
  const { failed, endpointId } = tally
  if (percent >= 100) {
    const condition = failingFor(tally, 100, circuit)
    const notifications = notifier?.endpoint({
      type: 'keepsend.endpoint.disabled',
      endpointId,
      claims: failed,
      condition,
      details: { reason: 'failing' },
    })
    return [
      ...unlogged(notifications),
      {
        statement: disableFailingStatement(db, tally, circuit),
        makes: { change: 'disabled', endpointId, reason: 'failing' },
      },
    ]
  }
  const reached = WARNINGS.find((warning) => percent >= warning)
  if (reached === undefined) return []
  const condition = failingFor(tally, reached, circuit)
  const notifications = notifier?.endpoint({
    type: 'keepsend.endpoint.failing',
    endpointId,
    claims: failed,
    condition,
    details: { percent: reached },
  })
  return [
    ...unlogged(notifications),
    {
      statement: warnStatement(db, tally, reached, circuit),
      makes: { change: 'failing', endpointId, percent: reached },
    },
  ]
}

function unlogged(statements: readonly SqlText[] = []): EndpointStatement[] {
  return statements.map((statement) => ({ statement }))
}

/** Groups by endpoint and version, in that order; within a group attempts stay in the order in which they ended. */
function byEndpoint(finished: readonly FinishedDelivery[]): FinishedDelivery[][] {
  const groups = new Map<string, FinishedDelivery[]>()
  for (const one of finished) {
    const { attempt } = one.outcome
    if (!attempt) continue
    const key = `${attempt.endpointId} ${attempt.endpointVersion}`
    const group = groups.get(key)
    if (group) group.push(one)
    else groups.set(key, [one])
  }
  return [...groups].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, group]) => group)
}

function tallyOf(group: readonly FinishedDelivery[]): Tally {
  const { endpointId = '', endpointVersion: version = 0 } = group[0]?.outcome.attempt ?? {}
  const claims: Record<'failed' | 'succeeded' | 'timedOut' | 'answered', ClaimRef[]> = {
    failed: [],
    succeeded: [],
    timedOut: [],
    answered: [],
  }
  let trailing = 0
  let trailingTimeouts = 0
  for (const { claim, outcome } of group) {
    const signal = healthSignalOf(outcome)
    const isTimeout = signal === 'failure' && outcome.attempt?.timedOut === true
    claims[isTimeout ? 'timedOut' : 'answered'].push(claim)
    trailingTimeouts = isTimeout ? trailingTimeouts + 1 : 0
    if (signal === 'neither') continue
    claims[signal === 'success' ? 'succeeded' : 'failed'].push(claim)
    trailing = signal === 'success' ? 0 : trailing + 1
  }
  return { endpointId, version, ...claims, trailing, trailingTimeouts }
}

// A healthy receiver refused the body of this delivery.
const ABOUT_THE_BODY = new Set([400, 413, 415, 422])

/**
 * Whether an attempt counts as success or failure for the endpoint's health. A wait that the receiver asked for and a refused
 * body count as neither: the receiver is alive.
 */
export function healthSignalOf(outcome: DeliveryOutcome): 'success' | 'failure' | 'neither' {
  if (outcome.kind === 'complete') return 'success'
  const failed = outcome.kind === 'fail' || (outcome.kind === 'reschedule' && !outcome.deferral)
  return failed && !ABOUT_THE_BODY.has(outcome.httpStatus ?? 0) ? 'failure' : 'neither'
}
