import type { Codec } from '../src/index.ts'

/** Property → column, as the codec's select list says it, in its order. */
export function codecColumns<T extends object>({ all }: Codec<T>): Record<string, string> {
  const pairs = [...all.sql.matchAll(/(\w+) as "(\w+)"/g)].map(([, column = '', property = '']) => [property, column])
  return Object.fromEntries(pairs) as Record<string, string>
}
