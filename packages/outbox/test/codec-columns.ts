import type { Codec } from '../src/internal.ts'

/** Property → column in the order of the codec's select list; for an expression, its first column. */
export function codecColumns<T extends object>({ all }: Codec<T>): Record<string, string> {
  const pairs = [...all.sql.matchAll(/(?:coalesce\((\w+), .*?\)|(\w+)) as "(\w+)"/g)].map(
    ([, first, column = first, property = '']) => [property, column],
  )
  return Object.fromEntries(pairs) as Record<string, string>
}
