import type { ClaimRef } from '../row.ts'
import { type SqlText, sqlText } from '../statement.ts'

/** A list as one parameter: an array's literal, which every driver passes on as the text that it is. */
export function texts(values: readonly (string | null)[]): SqlText {
  const quoted = values.map((value) => (value === null ? 'null' : `"${value.replace(/["\\]/g, '\\$&')}"`))
  return sqlText`cast(cast(${`{${quoted.join(',')}}`} as text) as text[])`
}

export function numbers(values: readonly (number | null)[]): SqlText {
  return sqlText`cast(cast(${`{${values.map((value) => value ?? 'null').join(',')}}`} as text) as bigint[])`
}

/** The claims as rows of (claim_id, claim_gen), by key, so that those who lock the same rows do so in the same order. */
export function held(claims: readonly ClaimRef[]): SqlText {
  const sorted = claims.toSorted(byKey)
  return sqlText`unnest(${texts(sorted.map(({ id }) => id))}, ${numbers(sorted.map(({ gen }) => gen))}) as held (claim_id, claim_gen)`
}

export function byKey(a: ClaimRef, b: ClaimRef): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
