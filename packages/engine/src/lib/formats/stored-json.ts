/** Whether the text of a column is JSON that fits. One that was broken by hand is not. */
export function isStored(text: unknown, fits: (value: unknown) => boolean): boolean {
  return typeof text === 'string' && fits(parseStored(text))
}

/** The JSON of a column; undefined if it is invalid. */
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
