import type { Row, SqlResult } from '../statement.ts'
import { hexOf } from '../hex.ts'
import { tokens } from '../sql/tokens.ts'
import { arrayLiteral } from './array-params.ts'

/** The type `unknown`: the server reads the text for its column or cast, like a literal in quotes. */
export const UNKNOWN_TYPE = 705

/**
 * A parameter as the text that the server reads, so that it means the same on every driver: `'{"a":1}'` is an object
 * for a column of `jsonb`, `'true'` is true for one of `boolean`, and `'2026-11-23 12:00'` that time for one of
 * `timestamp`.
 */
export function parameterText(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array) return `\\x${hexOf(value)}`
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return arrayLiteral(value.map(parameterText))
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value)
}

/** A column of a result, as the driver describes it. */
export interface AnsweredColumn {
  name: string
  type: number
}

/** A value as the server wrote it: a string, or a `Buffer`. */
export interface WrittenValue {
  toString(): string
}

/** A driver's result before any parser has run. */
export interface RawAnswer {
  columns: readonly AnsweredColumn[]
  /** Texts, or their bytes in UTF-8. */
  rows: Iterable<readonly (WrittenValue | null)[]>
  command: string
  count: number | null
}

const CHANGING = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])

/**
 * Integers and floats become numbers (times and counts of ours: none exceeds 2^53), booleans become booleans, JSON is
 * parsed; any other type is the text that the server wrote.
 */
export function resultOf({ columns, rows, command, count }: RawAnswer): SqlResult {
  const names = columns.map(({ name }) => name)
  const readers = columns.map(({ type }) => READERS.get(type) ?? asText)
  const read: Row[] = []
  for (const values of rows) {
    const row: Row = {}
    for (let index = 0; index < names.length; index++) {
      const value = values[index]?.toString()
      row[names[index] as string] = value === undefined ? null : (readers[index] ?? asText)(value)
    }
    read.push(row)
  }
  return { rows: read, changes: CHANGING.has(command) ? (count ?? 0) : 0 }
}

// int8, int2, int4, oid, float4, float8; bool; json, jsonb.
const READERS = new Map<number, (text: string) => unknown>([
  ...[20, 21, 23, 26, 700, 701].map((type) => [type, Number] as const),
  [16, (text) => text === 't'],
  ...[114, 3802].map((type) => [type, (text: string): unknown => JSON.parse(text)] as const),
])

function asText(text: string): string {
  return text
}

/** Restores the column names of a statement in its result. */
export type RestoreNames = (text: string, columns: readonly AnsweredColumn[]) => readonly AnsweredColumn[]

/**
 * Undoes a column transform of the host's driver. The names in the statement are transformed in the same way, and each
 * column gets the one whose transformed name matches its own: names after `as` first, because two names of
 * `workspace_id as "workspaceId"` match.
 */
export function restorerOf(rename: (name: string) => string): RestoreNames {
  const known = new Map<string, Map<string, string>>()
  return (text, columns) => {
    let names = known.get(text)
    if (!names) {
      names = new Map(namesIn(text).map((name) => [rename(name), name]))
      if (known.size >= MAX_TEXTS) known.clear()
      known.set(text, names)
    }
    return columns.map(({ name, type }) => ({ name: names.get(name) ?? name, type }))
  }
}

const MAX_TEXTS = 500

/** Names that a column of the result may have, the most likely last. */
function namesIn(text: string): string[] {
  const written = tokens(text, 'postgres').filter(({ kind }) => kind !== 'space')
  const names = written.map(({ kind, text: name }) => {
    if (kind === 'word') return name.toLowerCase()
    return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : undefined
  })
  const aliases = names.filter((_, index) => names[index - 1] === 'as')
  return ['?column?', ...names, ...aliases].filter((name) => name !== undefined)
}
