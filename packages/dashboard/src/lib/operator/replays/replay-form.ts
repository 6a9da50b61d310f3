import { EngineError, type ReplayInput, type ReplayMatching } from '@keepsend/engine'
import type { Visit } from '../../site/visit.ts'
import { CLASSES, errorClassIn, oneOf } from '../../history/delivery-choices.ts'

/** The kinds of replays that the form offers. */
export const WHATS = ['failed', 'missed', 'delivered', 'matching'] as const

/** The names of the fields, in a query and in a form alike. */
export const FIELDS = [
  'what',
  'workspace',
  'endpoint',
  'type',
  'http',
  'error',
  'code',
  'event',
  'from',
  'to',
  'rate',
] as const

/** The input of a replay, from a query or a form. */
export function inputOf(value: Visit['query']): ReplayInput {
  const what = WHATS.find((one) => one === value('what')) ?? 'failed'
  const rate = value('rate')
  const shared = {
    since: timeIn('from', value('from')),
    until: timeIn('to', value('to')),
    rate: rate === undefined ? undefined : Number(rate),
  }
  const code = value('code')
  const filter: Pick<ReplayMatching, 'type' | 'httpClass' | 'errorClass' | 'httpStatus' | 'eventId'> = {
    type: value('type'),
    httpClass: oneOf(CLASSES, value('http')),
    errorClass: errorClassIn(value('error')),
    httpStatus: code === undefined ? undefined : Number(code),
    eventId: value('event'),
  }
  const isFiltered = Object.values(filter).some((one) => one !== undefined)
  const endpointId = value('endpoint')
  if (what === 'matching') return { what, endpointId, ...filter, ...shared }
  if (what !== 'missed') {
    if (!isFiltered) return { what, endpointId, ...shared }
    return { what: 'matching', status: what === 'failed' ? 'failed' : 'completed', endpointId, ...filter, ...shared }
  }
  if (endpointId === undefined)
    throw new EngineError('invalid_request', 'a replay of missed events needs the endpoint that missed them')
  if (isFiltered)
    throw new EngineError(
      'invalid_request',
      'a replay of missed events takes all of an endpoint: leave the type and the response empty',
    )
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

/** A time as a form has it: `2026-10-06T11:00:00`. */
export function timeForForm(ms: number): string {
  return new Date(ms).toISOString().slice(0, 'yyyy-mm-ddThh:mm:ss'.length)
}
