/** Whether the text of a column is JSON that fits; one that was broken by hand is not. */
export function isStored(text: unknown, fits: (value: unknown) => boolean): boolean {
  return typeof text === 'string' && fits(parseStored(text))
}

/** The JSON of a column; undefined for what is none. */
export function parseStored(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function isListOf(fits: (one: unknown) => boolean): (value: unknown) => boolean {
  return (value) => Array.isArray(value) && value.every((one) => fits(one))
}
