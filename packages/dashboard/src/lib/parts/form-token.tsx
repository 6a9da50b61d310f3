import type { Reader } from '../reader/reader.ts'

/** The token that each form carries which changes something. */
export function FormToken({ reader: { csrf } }: { reader: Reader }) {
  return <input type="hidden" name="csrf" value={csrf} />
}
