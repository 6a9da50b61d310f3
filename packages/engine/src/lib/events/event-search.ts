import type { OptionNames } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import { fromBase64Url, toBase64Url, utf8 } from '../formats/encoding.ts'
import { MAX_SEARCH_TEXT, isSearchable } from '../history/search-values.ts'

/**
 * Finds events by a value in their payload: exactly, or all values that begin with a text. Either `value` or `prefix` is given.
 *
 * @example
 * const { rows } = await engine.events.list('w1', { limit: 50, search: { path: 'data.order.id', value: 'ord_1' } })
 */
export interface EventSearch {
  /** One of the paths of `history.search`. */
  path: string
  /** At most 200 characters. A number, true or false as JSON writes it. */
  value?: string | undefined
  /** At most 200 characters; an empty one finds all values of the path. */
  prefix?: string | undefined
}

export const EVENT_SEARCH = { path: 'text', value: 'text', prefix: 'text' } satisfies OptionNames<EventSearch>

/** A search that has been checked, and its workspace. */
export interface CheckedSearch {
  workspaceId: string
  path: string
  isExact: boolean
  /** The value, or the prefix. */
  text: string
}

/** @param workspaceId undefined: of all workspaces, which no index serves */
export function checkSearch(
  { path, value, prefix }: EventSearch,
  workspaceId: string | undefined,
  paths: readonly string[],
): CheckedSearch {
  if (paths.length === 0)
    throw new EngineError('not_retained', 'values of payloads are not recorded: this engine has no history.search')
  const text = value ?? prefix
  if (text === undefined || (value !== undefined && prefix !== undefined))
    throw refused(`a search needs either value or prefix; found ${text === undefined ? 'neither' : 'both'}`)
  if (!paths.includes(path))
    throw refused(`search.path must be one of history.search (${paths.join(', ')}); found ${JSON.stringify(path)}`)
  if (!isSearchable(text))
    throw refused(
      `a search needs well-formed text of at most ${MAX_SEARCH_TEXT} characters without a NUL; found ${JSON.stringify(text)}`,
    )
  if (workspaceId === undefined) throw refused('a search needs one workspace: values are found by workspace')
  return { workspaceId, path, isExact: value !== undefined, text }
}

function refused(message: string): EngineError {
  return new EngineError('invalid_request', message)
}

/** Where a page ended: an event, and in a search for a prefix its value. */
export interface SearchPosition {
  id: string
  value: string
}

export function writePosition({ isExact }: CheckedSearch, { id, value }: SearchPosition): string {
  return isExact ? id : `${id}.${toBase64Url(utf8(value))}`
}

/** Reads the `before` of a search for a prefix. @throws {EngineError} `invalid_request` for that of another list or prefix */
export function readPosition(before: string, prefix: string): SearchPosition {
  const [, id, encoded = ''] = /^(evt_[0-9a-f-]+)\.([\w-]*)$/.exec(before) ?? []
  const value = decode(encoded)
  if (id === undefined || !value?.startsWith(prefix) || !isSearchable(value))
    throw refused(`before must be the next of an earlier page of this search; found ${JSON.stringify(before)}`)
  return { id, value }
}

/** Undefined: no base64url, or no UTF-8. */
function decode(encoded: string): string | undefined {
  const bytes = fromBase64Url(encoded)
  try {
    return bytes && new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** The first text behind all texts that begin with this one, in the order of code points; undefined: there is none. */
export function behindPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  while (points.at(-1) === MAX_CODE_POINT) points.pop()
  const last = points.pop()
  if (last === undefined) return undefined
  return String.fromCodePoint(...points, last === BEFORE_SURROGATES ? BEHIND_SURROGATES : last + 1)
}

const MAX_CODE_POINT = 0x10_ffff
// No text has half of a surrogate pair.
const BEFORE_SURROGATES = 0xd7ff
const BEHIND_SURROGATES = 0xe000
