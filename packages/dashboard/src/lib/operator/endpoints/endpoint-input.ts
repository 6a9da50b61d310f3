import { type Endpoint, type EndpointInput, EngineError } from '@keepsend/engine'
import type { Sent } from '../../site/visit.ts'

/** The fields of the form, as they were typed. */
export interface Typed {
  workspace: string
  url: string
  description: string
  all: boolean
  types: readonly string[]
  channels: string
  /** JSON. */
  filter: string
  /** A line each, such as `x-tenant: lisbon`. Empty: the headers stay. */
  headers: string
  dropHeaders: boolean
  rate: string
  ratePeriod: string
  retryStatuses: string
  /** Seconds. */
  deadline: string
  concurrency: string
  /** Empty without versions. */
  version: string
}

export const NOTHING_TYPED: Typed = {
  workspace: '',
  url: '',
  description: '',
  all: true,
  types: [],
  channels: '',
  filter: '',
  headers: '',
  dropHeaders: false,
  rate: '',
  ratePeriod: 'second',
  retryStatuses: '',
  deadline: '',
  concurrency: '',
  version: '',
}

export function typedOf(endpoint: Endpoint): Typed {
  const { eventTypes, filter, rateLimit, deadlineMs, concurrency } = endpoint
  const all = eventTypes.length === 1 && eventTypes[0] === '*'
  return {
    ...NOTHING_TYPED,
    workspace: endpoint.workspaceId,
    url: endpoint.url,
    description: endpoint.description,
    all,
    types: all ? [] : eventTypes,
    channels: endpoint.channels.join(', '),
    filter: filter === null ? '' : JSON.stringify(filter, null, 2),
    rate: shown(rateLimit),
    ratePeriod: endpoint.ratePeriod,
    retryStatuses: endpoint.retryStatuses.join(', '),
    deadline: deadlineMs === null ? '' : String(deadlineMs / 1000),
    concurrency: shown(concurrency),
    version: endpoint.eventVersion ?? '',
  }
}

function shown(value: number | null): string {
  return value === null ? '' : String(value)
}

export function typedIn({ field, fields }: Sent): Typed {
  const text = (name: string): string => field(name) ?? ''
  return {
    workspace: text('workspace'),
    url: text('url'),
    description: text('description'),
    all: field('all') !== 'some',
    types: [...fields('types'), ...listIn(text('patterns'))],
    channels: text('channels'),
    filter: text('filter'),
    headers: text('headers'),
    dropHeaders: field('dropHeaders') !== undefined,
    rate: text('rate'),
    ratePeriod: field('ratePeriod') ?? 'second',
    retryStatuses: text('retryStatuses'),
    deadline: text('deadline'),
    concurrency: text('concurrency'),
    version: text('version'),
  }
}

/** @throws {EngineError} `invalid_request` for a text that cannot be read; the engine validates the rest */
export function inputOf(typed: Typed): EndpointInput {
  const { url, description, all, types, channels, rate, retryStatuses, deadline, concurrency, version } = typed
  if (!all && types.length === 0) throw refused('choose at least one event, or all of them')
  return {
    url: url.trim(),
    description,
    eventTypes: all ? ['*'] : types,
    channels: listIn(channels),
    filter: filterIn(typed.filter),
    headers: headersIn(typed),
    rateLimit: numberIn(rate),
    ratePeriod: typed.ratePeriod as EndpointInput['ratePeriod'],
    retryStatuses: listIn(retryStatuses).map(Number),
    deadlineMs: deadline === '' ? null : Math.round(Number(deadline) * 1000),
    concurrency: numberIn(concurrency),
    eventVersion: version === '' ? undefined : version,
  }
}

function filterIn(written: string): EndpointInput['filter'] {
  if (written.trim() === '') return null
  try {
    return JSON.parse(written) as EndpointInput['filter']
  } catch {
    throw refused('the filter must be JSON, such as { "data.channel": { "$in": ["general"] } }')
  }
}

/** Undefined: they stay as they are. */
function headersIn({ headers, dropHeaders }: Typed): Record<string, string> | undefined {
  const lines = headers.split(/\r?\n/).filter((line) => line.trim() !== '')
  if (lines.length === 0) return dropHeaders ? {} : undefined
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(':')
      if (at < 1) throw refused(`a header must be a line such as x-tenant: lisbon; found ${line.slice(0, 100)}`)
      return [line.slice(0, at).trim(), line.slice(at + 1).trim()]
    }),
  )
}

function numberIn(written: string): number | null {
  return written === '' ? null : Number(written)
}

function listIn(written: string): string[] {
  return written.split(/[\s,]+/).filter((part) => part !== '')
}

function refused(message: string): EngineError {
  return new EngineError('invalid_request', message)
}
