import { type SqlText, sqlText } from '../statement.ts'

/**
 * A list as one parameter, a text that every driver passes on unchanged. Split by the server while it plans: an array literal is
 * read twice, for the plan and for the result, and character by character (96 ids: 0.12 ms, split 0.03). A list with a comma
 * or a null in it is a literal.
 */
export function texts(values: readonly (string | null)[]): SqlText {
  const canSplit = values.every((value) => value !== null && !value.includes(','))
  const text = values.join(',')
  // An empty text splits into no values.
  if (canSplit && (text !== '' || values.length === 0)) return sqlText`string_to_array(cast(${text} as text), ',')`
  return sqlText`cast(cast(${arrayLiteral(values)} as text) as text[])`
}

export function arrayLiteral(values: readonly (string | null)[]): string {
  const quoted = values.map((value) => (value === null ? 'null' : `"${value.replace(/["\\]/g, '\\$&')}"`))
  return `{${quoted.join(',')}}`
}

export function numbers(values: readonly (number | null)[]): SqlText {
  const text = values.map((value) => value ?? 'null').join(',')
  return sqlText`cast(string_to_array(cast(${text} as text), ',', 'null') as bigint[])`
}
