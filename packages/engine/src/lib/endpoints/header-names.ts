import { type OptionsOf, type SqlText, isNullRefused, sqlText } from '@keepsend/outbox/internal'
import type { Endpoint, EndpointInput } from './endpoint.ts'
import { EngineError } from '../errors.ts'

/** The names of the headers that an endpoint adds to its requests, by property. */
export interface HeaderNames extends Pick<Endpoint, 'headerNames' | 'compatHeader' | 'eventTypeHeader'> {
  /** The header of `auth`. */
  authHeader: 'authorization' | null
}

const NONE = { headerNames: [], compatHeader: null, eventTypeHeader: null, auth: null }

/** Whether the input sets any of these headers. */
export function namesHeaders(input: OptionsOf<EndpointInput>): boolean {
  const { headers, compatSignature, eventTypeHeader, auth } = input
  return [headers, compatSignature, eventTypeHeader, auth].some((one) => one !== undefined)
}

/** The names in lower case, as they are stored and sent: those of the input, or the previous ones where it sets none. */
export function headerNamesOf(
  { headers, compatSignature, eventTypeHeader, auth }: OptionsOf<EndpointInput>,
  before: Pick<Endpoint, keyof typeof NONE> = NONE,
): HeaderNames {
  return {
    headerNames: headers === undefined ? before.headerNames : Object.keys(headers).map((name) => name.toLowerCase()),
    compatHeader: stored(compatSignature && compatSignature.header, before.compatHeader),
    eventTypeHeader: stored(eventTypeHeader, before.eventTypeHeader),
    authHeader: (auth === undefined ? before.auth : auth) ? 'authorization' : null,
  }
}

function stored(given: string | null | undefined, before: string | null): string | null {
  return given === undefined ? before : (given?.toLowerCase() ?? null)
}

/**
 * Checks that no header is set twice.
 *
 * @throws {EngineError} `invalid_endpoint`, naming the header
 */
export function checkDistinct({ headerNames, compatHeader, eventTypeHeader, authHeader }: HeaderNames): void {
  const names = [authHeader, compatHeader, eventTypeHeader, ...headerNames].filter((name) => name !== null)
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice !== undefined) throw sameName(JSON.stringify(twice.slice(0, 100)))
}

/**
 * Refuses the transaction if a concurrent change has set one of the names: it sets the not-null column `headers` to null. Runs
 * after the change, so that it sees the committed names of both.
 */
export function refuseSameNameStatement({ id, workspaceId }: Pick<Endpoint, 'id' | 'workspaceId'>): SqlText {
  // In the JSON of the headers only names and values are quoted, and only a name is followed by a colon.
  return sqlText`
    update keepsend_endpoints set headers = null
    where id = ${id} and workspace_id = ${workspaceId} and (
      compat_header = event_type_header
      or replace(headers, '"' || compat_header || '":', '') <> headers
      or replace(headers, '"' || event_type_header || '":', '') <> headers
      or (auth is not null and (
        'authorization' in (compat_header, event_type_header) or replace(headers, '"authorization":', '') <> headers)))`
}

/** Turns that refusal into an error of the engine; returns any other error as it is. */
export function asSameName(error: unknown): unknown {
  return isNullRefused(error, 'keepsend_endpoints', 'headers')
    ? sameName('one that a concurrent change has set', error)
    : error
}

function sameName(name: string, cause?: unknown): EngineError {
  return new EngineError(
    'invalid_endpoint',
    `headers, compatSignature.header, eventTypeHeader and auth (authorization) must set different headers; found ${name} twice`,
    { cause },
  )
}
