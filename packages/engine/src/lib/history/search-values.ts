import { type DialectName, type SqlText, joined, raw, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import { isNumberAsWritten, parseAsWritten } from '../formats/exact-json.ts'

/** The most characters of a path, and of a value that is found: three bytes each fit with a workspace id into an index of Postgres. */
export const MAX_SEARCH_TEXT = 200
const MAX_PATHS = 5

/** @throws {EngineError} `invalid_option`, naming what is wrong with `history.search` */
export function checkSearchPaths({ search, events }: { search: readonly string[]; events: boolean }): void {
  const refuse = (expected: string, found: string): never => {
    throw new EngineError('invalid_option', `history.search ${expected}; found ${found}`)
  }
  if (search.length === 0) return
  if (search.length > MAX_PATHS) refuse(`must have at most ${MAX_PATHS} paths`, String(search.length))
  if (new Set(search).size < search.length) refuse('must have each path once', JSON.stringify(search))
  const wrong = search.find((path) => !isSearchable(path) || path.split('.').includes(''))
  if (wrong !== undefined)
    refuse(`must have paths of 1 to ${MAX_SEARCH_TEXT} characters, keys joined by dots`, JSON.stringify(wrong))
  if (!events) refuse('needs history.events: true', 'false')
}

/** Whether a value is found, and a text can be searched for: one that each database stores as it is, and not a long one. */
export function isSearchable(text: string): boolean {
  return text.length <= MAX_SEARCH_TEXT && text.isWellFormed() && !text.includes('\0')
}

/** The values of a payload at these paths; none if it is no JSON. */
export function searchValues(payload: string, paths: readonly string[]): (readonly [path: string, value: string])[] {
  const parsed = parse(payload)
  return paths.flatMap((path) => {
    const value = valueAt(parsed, path)
    return value === undefined ? [] : [[path, value] as const]
  })
}

function parse(payload: string): unknown {
  try {
    return parseAsWritten(payload) ?? JSON.parse(payload)
  } catch {
    // A raw body that is no JSON, or is nested too deep.
    return undefined
  }
}

function valueAt(parsed: unknown, path: string): string | undefined {
  let at = parsed
  for (const key of path.split('.')) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || isNumberAsWritten(at)) return undefined
    at = Object.hasOwn(at, key) ? Reflect.get(at, key) : undefined
  }
  const isScalar = typeof at === 'number' || typeof at === 'boolean' || isNumberAsWritten(at)
  const text = isScalar ? JSON.stringify(at) : at
  return typeof text === 'string' && isSearchable(text) ? text : undefined
}

/** Joins the values of a recorded `event`, as a table `found` with the columns `key` and `value`. */
export const VALUES_OF_EVENT: Record<DialectName, SqlText> = {
  sqlite: raw('cross join json_each(event.search_values) as found'),
  postgres: raw('cross join lateral jsonb_each_text(cast(event.search_values as jsonb)) as found (key, value)'),
}

/**
 * Inserts the values of an event whose record lists them: a repeated publish with other values adds none. A scalar looks at the
 * record: SQLite takes 65 µs for a join with it, 50 for a table of the JSON, and 13 so (measured).
 *
 * @param how.list the values as the record lists them
 * @param how.recorded the table that has the event
 */
export function indexValues(
  { id, workspaceId }: { id: string; workspaceId: string },
  values: ReturnType<typeof searchValues>,
  { list, recorded = raw('keepsend_events') }: { list: string; recorded: SqlText | undefined },
): SqlText {
  const found = values.map(([path, value]) => sqlText`(${path}, ${value})`)
  return sqlText`
    insert into keepsend_event_search (workspace_id, path, value, event_id)
    select cast(${workspaceId} as text), found.column1, found.column2, cast(${id} as text)
    from (values ${joined(found, ', ')}) as found
    where (select event.search_values from ${recorded} as event where event.id = ${id} and event.workspace_id = ${workspaceId}) = ${list}
    on conflict do nothing`
}
