import { type Endpoint, type EndpointInput, type Engine, EngineError } from '@keepsend/engine'
import { type Typed, inputOf, typedIn, typedOf } from '../../endpoint/endpoint-input.ts'
import type { Problem } from '../../parts/field.tsx'
import type { Reader } from '../../reader/reader.ts'
import type { PortalSent } from '../portal-visit.ts'
import { type TypedFilter, readTyped, typedFilterIn, typedFilterOf } from './filter-typed.ts'

/** The parts of an endpoint that a customer sets. Channels, credentials, TLS and signatures are the sender's. */
export interface PortalTyped extends Typed {
  filter: TypedFilter
  /** A label of the catalog; empty: its newest. */
  version: string
}

/** The fields of the form, by the ids of their controls. */
export type FieldName = 'url' | 'description' | 'types' | 'filter' | 'rate' | 'retryStatuses' | 'version'

/** The problem of each field. */
export type Problems = ReadonlyMap<FieldName, Problem>

const MAX_RATE = 10_000

export function portalTypedOf(endpoint: Endpoint): PortalTyped {
  return {
    ...typedOf(endpoint),
    filter: typedFilterOf(endpoint.filter),
    version: endpoint.eventVersion ?? '',
  }
}

export function portalTypedIn(sent: PortalSent): PortalTyped {
  return { ...typedIn(sent), filter: typedFilterIn(sent), version: sent.field('version') ?? '' }
}

export function portalInputOf(typed: PortalTyped): EndpointInput {
  const read = readTyped(typed.filter)
  if ('problem' in read) throw new EngineError('invalid_endpoint', read.problem.english)
  return {
    ...inputOf(typed),
    filter: read.filter,
    ...(typed.version === '' ? {} : { eventVersion: typed.version }),
  }
}

/** Everything that is wrong with what was typed, so that nobody has to try again for each. */
export function problemsOf(typed: PortalTyped, engine: Engine, reader: Reader): Problems {
  const { text } = reader
  const problems = new Map<FieldName, Problem>()
  const url = urlProblem(typed.url.trim(), engine, reader)
  if (url !== undefined) problems.set('url', url)
  if (!typed.all && typed.types.length === 0) problems.set('types', text('portal.choose_events'))
  const read = readTyped(typed.filter)
  if ('problem' in read) problems.set('filter', read.problem)
  const rate = typed.rate.trim()
  if (rate !== '' && !(/^\d+$/.test(rate) && Number(rate) >= 1 && Number(rate) <= MAX_RATE))
    problems.set('rate', text('portal.rate_wrong', { most: MAX_RATE }))
  return problems
}

function urlProblem(url: string, engine: Engine, { text, language }: Reader): string | undefined {
  if (url === '') return text('portal.url_missing')
  const check = engine.checkUrl(url)
  if (check.ok) return undefined
  if (check.reason === 'invalid_url') return text('portal.url_invalid')
  // That it is private explains the rest: such an address often has another scheme and port too.
  const { hostname } = new URL(url)
  const alone = engine.checkUrl(`https://${hostname}`)
  if (check.reason === 'blocked_address' || (!alone.ok && alone.reason === 'blocked_address'))
    return text('portal.url_blocked')
  if (check.reason === 'scheme') return text('portal.url_scheme')
  if (check.reason === 'credentials') return text('portal.url_credentials')
  const { allowPorts = [443, 8443] } = engine.urlPolicy
  const ports = allowPorts === 'any' ? [] : allowPorts.map(String)
  return text('portal.url_port', { ports: new Intl.ListFormat(language, { type: 'disjunction' }).format(ports) })
}

const PROPERTIES: ReadonlyMap<string, FieldName> = new Map(
  Object.entries<FieldName>({
    url: 'url',
    port: 'url',
    address: 'url',
    description: 'description',
    eventTypes: 'types',
    filter: 'filter',
    rateLimit: 'rate',
    ratePeriod: 'rate',
    retryStatuses: 'retryStatuses',
    eventVersion: 'version',
  }),
)

/** The field that an error of the engine is about. Such an error begins with the name of its property. */
export function problemOfError(error: EngineError): Problems | undefined {
  const [property = ''] = /^\w+/.exec(error.message) ?? []
  const name = error.code === 'invalid_endpoint' ? PROPERTIES.get(property) : undefined
  return name && new Map([[name, { english: error.message }]])
}
