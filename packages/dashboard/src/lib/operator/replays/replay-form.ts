import { EngineError, type ReplayInput } from '@keepsend/engine'
import type { Visit } from '../../site/visit.ts'

/** The kinds of replays that the form offers. */
export const WHATS = ['failed', 'missed', 'delivered'] as const

/** The input of a replay, from a query or a form: the same names in both. */
export function inputOf(value: Visit['query']): ReplayInput {
  const what = WHATS.find((one) => one === value('what')) ?? 'failed'
  const rate = value('rate')
  const shared = {
    since: timeIn('from', value('from')),
    until: timeIn('to', value('to')),
    rate: rate === undefined ? undefined : Number(rate),
  }
  const endpointId = value('endpoint')
  if (what !== 'missed') return { what, endpointId, ...shared }
  if (endpointId === undefined)
    throw new EngineError('invalid_request', 'a replay of missed events needs the endpoint that missed them')
  return { what, endpointId, ...shared }
}

/** A time of a form, which is in UTC. */
function timeIn(name: string, written: string | undefined): number | undefined {
  if (written === undefined) return undefined
  const time = Date.parse(`${written}Z`)
  if (Number.isNaN(time))
    throw new EngineError('invalid_request', `${name} must be a time such as 2026-10-06T11:00; found ${written}`)
  return time
}
