// The platform takes up to 0.3 ms for a formatter, and a page shows hundreds of numbers: each is made once for its language, zone and
// options.
const MOST = 1000
const numbers = new Map<string, Intl.NumberFormat>()
const times = new Map<string, Intl.DateTimeFormat>()

export function numberFormat(language: string, options?: Intl.NumberFormatOptions): Intl.NumberFormat {
  return kept(numbers, [language, options], () => new Intl.NumberFormat(language, options))
}

export function timeFormat(language: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return kept(times, [language, options], () => new Intl.DateTimeFormat(language, options))
}

function kept<Format>(formats: Map<string, Format>, of: unknown, make: () => Format): Format {
  const key = JSON.stringify(of)
  const found = formats.get(key)
  if (found) return found
  // A reader chooses the zone: there are hundreds.
  if (formats.size >= MOST) formats.clear()
  const made = make()
  formats.set(key, made)
  return made
}
