import { type Endpoint, type EndpointInput, EngineError } from '@keepsend/engine'
import type { Sent } from '../site/visit.ts'

/** The fields about an endpoint that each form has, as they were typed. */
export interface Typed {
  url: string
  description: string
  all: boolean
  types: readonly string[]
  rate: string
  period: string
  retryStatuses: string
}

export const EMPTY: Typed = {
  url: '',
  description: '',
  all: true,
  types: [],
  rate: '',
  period: 'second',
  retryStatuses: '',
}

export const RATE_PERIODS = ['second', 'minute', 'hour'] as const

export function typedOf({ url, description, eventTypes, rateLimit, ratePeriod, retryStatuses }: Endpoint): Typed {
  const all = eventTypes.length === 1 && eventTypes[0] === '*'
  return {
    url,
    description,
    all,
    types: all ? [] : eventTypes,
    rate: rateLimit === null ? '' : String(rateLimit),
    period: ratePeriod,
    retryStatuses: retryStatuses.join(', '),
  }
}

export function typedIn({ field, fields }: Sent): Typed {
  return {
    url: field('url') ?? '',
    description: field('description') ?? '',
    all: field('all') !== 'some',
    types: [...fields('types'), ...listIn(field('patterns') ?? '')],
    rate: field('rate') ?? '',
    period: field('period') ?? 'second',
    retryStatuses: field('retryStatuses') ?? '',
  }
}

export type TypedInput = Required<
  Pick<EndpointInput, 'url' | 'description' | 'eventTypes' | 'rateLimit' | 'ratePeriod' | 'retryStatuses'>
>

/** @throws {EngineError} if no event is chosen, or the period is none of the choices */
export function inputOf({ url, description, all, types, rate, period, retryStatuses }: Typed): TypedInput {
  if (!all && types.length === 0) throw new EngineError('invalid_request', 'choose at least one event, or all of them')
  const ratePeriod = RATE_PERIODS.find((one) => one === period)
  if (!ratePeriod) throw new EngineError('invalid_request', `the period of a rate limit cannot be ${period}`)
  return {
    url: url.trim(),
    description,
    eventTypes: all ? ['*'] : [...new Set(types)],
    rateLimit: rate.trim() === '' ? null : Number(rate),
    ratePeriod,
    retryStatuses: listIn(retryStatuses).map(Number),
  }
}

function listIn(written: string): string[] {
  return written.split(/[\s,]+/).filter((part) => part !== '')
}
