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

/** A statement and, where it changes what an operator looks at, the change that it makes if it changes a row. */
export interface EndpointStatement {
  statement: SqlText
  makes?: EndpointChange
}

const WARNINGS = [90, 75, 50]

/**
 * What attempts that are settled together do to the health of their endpoints: counters first, then what changes by
 * them, each with its report before it. Nothing at all for endpoints that are and stay healthy.
 */
export function healthStatements(
  db: OutboxDatabase,
  { circuit, reporter, random }: { circuit: CircuitOptions; reporter: Notifier | undefined; random: () => number },
  finished: readonly FinishedDelivery[],
): { endpointIds: string[]; statements: EndpointStatement[] } {
  const endpointIds: string[] = []
  const statements: EndpointStatement[] = []
  for (const group of byEndpoint(finished)) {
    const tally = tallyOf(group)
    const facts = group.flatMap(({ outcome }) => outcome.attempt ?? [])
    const { failed, succeeded, trailing, endpointId } = tally
    const waitMs = jittered(circuit.openMs, random)
    const probes = group.filter(({ outcome }) => outcome.attempt?.probe && meaningForEndpoint(outcome) !== 'success')
    const counts = failed.length > 0 || facts.some(({ failing }) => failing)
    if (!counts && probes.length === 0) continue
    endpointIds.push(endpointId)
    if (counts) statements.push({ statement: recordAttemptsStatement(db, tally, circuit) })
    if (counts && succeeded.length > 0 && trailing === 0 && facts.some(({ circuitOpen }) => circuitOpen)) {
      const recovered = reporter?.endpoint('keepsend.endpoint.recovered', tally, succeeded, circuitIsOpen(tally), {})
      statements.push(...plain(recovered), {
        statement: closeCircuitStatement(db, tally),
        makes: { change: 'circuit closed', endpointId },
      })
    }
    if (trailing > 0) {
      const opened = shouldOpen(tally, circuit)
      statements.push(
        ...plain(reporter?.endpoint('keepsend.endpoint.circuit_opened', tally, failed, opened, {})),
        {
          statement: openCircuitStatement(db, tally, circuit, waitMs),
          makes: { change: 'circuit opened', endpointId, probeInMs: waitMs },
        },
        ...ageing(db, circuit, reporter, tally, facts),
      )
    }
    for (const { claim, outcome } of probes) {
      // A receiver that answers is asked about another delivery at once.
      statements.push({
        statement: endProbeStatement(db, endpointId, claim, meaningForEndpoint(outcome) === 'neither' ? 0 : waitMs),
      })
    }
  }
  return { endpointIds, statements }
}

/** A warning or the end, if the endpoint has failed long enough. The database judges; here is only whether to ask. */
function ageing(
  db: OutboxDatabase,
  circuit: CircuitOptions,
  reporter: Notifier | undefined,
  tally: Tally,
  facts: readonly { failingSince: number | null; at: number }[],
): EndpointStatement[] {
  const ages = facts.map(({ failingSince, at }) => (failingSince === null ? 0 : at - failingSince))
  const percent = (Math.max(...ages) / circuit.disableAfterMs) * 100
  const { failed, endpointId } = tally
  if (percent >= 100) {
    const comesTrue = failingFor(tally, 100, circuit)
    const reports = reporter?.endpoint('keepsend.endpoint.disabled', tally, failed, comesTrue, { reason: 'failing' })
    return [
      ...plain(reports),
      {
        statement: disableFailingStatement(db, tally, circuit),
        makes: { change: 'disabled', endpointId, reason: 'failing' },
      },
    ]
  }
  const reached = WARNINGS.find((warning) => percent >= warning)
  if (reached === undefined) return []
  const comesTrue = failingFor(tally, reached, circuit)
  const reports = reporter?.endpoint('keepsend.endpoint.failing', tally, failed, comesTrue, { percent: reached })
  return [
    ...plain(reports),
    {
      statement: warnStatement(db, tally, reached, circuit),
      makes: { change: 'failing', endpointId, percent: reached },
    },
  ]
}

function plain(statements: readonly SqlText[] = []): EndpointStatement[] {
  return statements.map((statement) => ({ statement }))
}

/** In the order of endpoints, and within one in the order in which the attempts ended. */
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
    const meaning = meaningForEndpoint(outcome)
    const isTimeout = meaning === 'failure' && outcome.attempt?.timedOut === true
    claims[isTimeout ? 'timedOut' : 'answered'].push(claim)
    trailingTimeouts = isTimeout ? trailingTimeouts + 1 : 0
    if (meaning === 'neither') continue
    claims[meaning === 'success' ? 'succeeded' : 'failed'].push(claim)
    trailing = meaning === 'success' ? 0 : trailing + 1
  }
  return { endpointId, version, ...claims, trailing, trailingTimeouts }
}

// What is wrong is the delivery's body, by the word of a receiver that is well.
const ABOUT_THE_BODY = new Set([400, 413, 415, 422])

/**
 * What an attempt says of the health of its endpoint. A wait that the receiver asked for, and its word on the body, are
 * neither: it is alive.
 */
export function meaningForEndpoint(outcome: DeliveryOutcome): 'success' | 'failure' | 'neither' {
  if (outcome.kind === 'complete') return 'success'
  const failed = outcome.kind === 'fail' || (outcome.kind === 'reschedule' && !outcome.deferral)
  return failed && !ABOUT_THE_BODY.has(outcome.httpStatus ?? 0) ? 'failure' : 'neither'
}
