import { type SqlText, sqlText } from '../statement.ts'

/** A list as one parameter: an array literal, which every driver passes on unchanged. */
export function texts(values: readonly (string | null)[]): SqlText {
  return sqlText`cast(cast(${arrayLiteral(values)} as text) as text[])`
}

export function arrayLiteral(values: readonly (string | null)[]): string {
  const quoted = values.map((value) => (value === null ? 'null' : `"${value.replace(/["\\]/g, '\\$&')}"`))
  return `{${quoted.join(',')}}`
}

export function numbers(values: readonly (number | null)[]): SqlText {
  return sqlText`cast(cast(${`{${values.map((value) => value ?? 'null').join(',')}}`} as text) as bigint[])`
}
