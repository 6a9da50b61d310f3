/** How many characters (code points) a text has: the unit of `maxLength` in a JSON Schema. An emoji has two UTF-16 units. */
export function characters(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
