/**
 * The beginning of a text, as every database can store it: Postgres refuses a NUL and a lone surrogate, and one refused
 * text would undo a whole group.
 */
export function storable(text: string, maxCharacters: number): string {
  return text.slice(0, maxCharacters).replaceAll('\0', '').toWellFormed()
}
