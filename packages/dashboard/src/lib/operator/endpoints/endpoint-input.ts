import { type Endpoint, type EndpointInput, EngineError } from '@keepsend/engine'
import {
  EMPTY,
  type Typed as TypedBase,
  inputOf as baseInput,
  listIn,
  typedIn as baseIn,
  typedOf as baseOf,
} from '../../endpoint/endpoint-input.ts'
import type { Sent } from '../../site/visit.ts'

/** The fields of the form, as they were typed. */
export interface Typed extends TypedBase {
  workspace: string
  channels: string
  /** JSON. */
  filter: string
  /** A line each, such as `x-tenant: lisbon`. Empty: the headers stay. */
  headers: string
  dropHeaders: boolean
  /** Seconds. */
  deadline: string
  concurrency: string
  /** Empty without versions. */
  version: string
}

export const NOTHING_TYPED: Typed = {
  ...EMPTY,
  workspace: '',
  channels: '',
  filter: '',
  headers: '',
  dropHeaders: false,
  deadline: '',
  concurrency: '',
  version: '',
}

export function typedOf(endpoint: Endpoint): Typed {
  const { filter, deadlineMs, concurrency } = endpoint
  return {
    ...NOTHING_TYPED,
    ...baseOf(endpoint),
    workspace: endpoint.workspaceId,
    channels: endpoint.channels.join(', '),
    filter: filter === null ? '' : JSON.stringify(filter, null, 2),
    deadline: deadlineMs === null ? '' : String(deadlineMs / 1000),
    concurrency: concurrency === null ? '' : String(concurrency),
    version: endpoint.eventVersion ?? '',
  }
}

export function typedIn(sent: Sent): Typed {
  const { field } = sent
  const text = (name: string): string => field(name) ?? ''
  return {
    ...baseIn(sent),
    workspace: text('workspace'),
    channels: text('channels'),
    filter: text('filter'),
    headers: text('headers'),
    dropHeaders: field('dropHeaders') !== undefined,
    deadline: text('deadline'),
    concurrency: text('concurrency'),
    version: text('version'),
  }
}

/** @throws {EngineError} `invalid_request` for a text that cannot be read; the engine validates the rest */
export function inputOf(typed: Typed): EndpointInput {
  const { channels, deadline, concurrency, version } = typed
  return {
    ...baseInput(typed),
    channels: listIn(channels),
    filter: filterIn(typed.filter),
    headers: headersIn(typed),
    deadlineMs: deadline === '' ? null : Math.round(Number(deadline) * 1000),
    concurrency: concurrency === '' ? null : Number(concurrency),
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

function refused(message: string): EngineError {
  return new EngineError('invalid_request', message)
}
