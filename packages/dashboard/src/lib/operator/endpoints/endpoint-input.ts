import { type Endpoint, type EndpointInput, EngineError } from '@keepsend/engine'
import type { Sent } from '../../site/visit.ts'

/** The fields of the form, as they were typed. */
export interface Typed {
  workspace: string
  url: string
  description: string
  all: boolean
  types: readonly string[]
  rate: string
  retryStatuses: string
}

export function typedOf({
  workspaceId,
  url,
  description,
  eventTypes,
  rateLimit,
  ratePeriod,
  retryStatuses,
}: Endpoint): Typed {
  const all = eventTypes.length === 1 && eventTypes[0] === '*'
  return {
    workspace: workspaceId,
    url,
    description,
    all,
    types: all ? [] : eventTypes,
    rate: rateLimit === null || ratePeriod !== 'second' ? '' : String(rateLimit),
    retryStatuses: retryStatuses.join(', '),
  }
}

export function typedIn({ field, fields }: Sent): Typed {
  return {
    workspace: field('workspace') ?? '',
    url: field('url') ?? '',
    description: field('description') ?? '',
    all: field('all') !== 'some',
    types: [...fields('types'), ...listIn(field('patterns') ?? '')],
    rate: field('rate') ?? '',
    retryStatuses: field('retryStatuses') ?? '',
  }
}

export function inputOf({ url, description, all, types, rate, retryStatuses }: Typed): EndpointInput {
  if (!all && types.length === 0) throw new EngineError('invalid_request', 'choose at least one event, or all of them')
  return {
    url: url.trim(),
    description,
    eventTypes: all ? ['*'] : types,
    rateLimit: rate === '' ? null : Number(rate),
    retryStatuses: listIn(retryStatuses).map(Number),
  }
}

function listIn(written: string): string[] {
  return written.split(/[\s,]+/).filter((part) => part !== '')
}
