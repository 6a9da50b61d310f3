import { type Endpoint, type EndpointInput, EngineError } from '@keepsend/engine'
import type { Sent } from '../site/visit.ts'

/** The fields about an endpoint that each form has, as they were typed. */
export interface Typed {
  url: string
  description: string
  all: boolean
  types: readonly string[]
  rate: string
  ratePeriod: string
  retryStatuses: string
}

/** A form in which nothing is typed. */
export const EMPTY: Typed = {
  url: '',
  description: '',
  all: true,
  types: [],
  rate: '',
  ratePeriod: 'second',
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
    ratePeriod,
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
    ratePeriod: field('ratePeriod') ?? 'second',
    retryStatuses: field('retryStatuses') ?? '',
  }
}

export type TypedInput = Required<
  Pick<EndpointInput, 'url' | 'description' | 'eventTypes' | 'rateLimit' | 'ratePeriod' | 'retryStatuses'>
>

/** @throws {EngineError} if no event is chosen, or the period is none of the choices */
export function inputOf({ url, description, all, types, rate, retryStatuses, ...typed }: Typed): TypedInput {
  if (!all && types.length === 0) throw new EngineError('invalid_request', 'choose at least one event, or all of them')
  const ratePeriod = RATE_PERIODS.find((one) => one === typed.ratePeriod)
  if (!ratePeriod) throw new EngineError('invalid_request', `the period of a rate limit cannot be ${typed.ratePeriod}`)
  return {
    url: url.trim(),
    description,
    eventTypes: all ? ['*'] : [...new Set(types)],
    rateLimit: rate.trim() === '' ? null : Number(rate),
    ratePeriod,
    retryStatuses: listIn(retryStatuses).map(Number),
  }
}

/** The parts of a list whose separators are commas and spaces. */
export function listIn(written: string): string[] {
  return written.split(/[\s,]+/).filter((part) => part !== '')
}
