import { de } from './de.ts'
import { en } from './en.ts'
import { es } from './es.ts'
import type { Messages } from './text.ts'

/** The languages that Keepsend brings. */
export const LANGUAGES: Readonly<Record<string, Messages>> = { en, de, es }

const DEFAULT_LANGUAGE = 'en'

/** The language to show: that of the cookie, else the first accepted one that there is, else English. */
export function chooseLanguage(
  known: Iterable<string>,
  cookie: string | undefined,
  accepted: string | undefined,
): string {
  const names = new Set(known)
  if (cookie !== undefined && names.has(cookie)) return cookie
  const wanted = (accepted ?? '')
    .slice(0, 500)
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.trim().split(';')
      const quality = Number(/^\s*q=([\d.]+)$/.exec(parameters[0] ?? '')?.[1] ?? 1)
      return { language: tag.toLowerCase().split('-')[0] ?? '', quality }
    })
    .filter(({ quality }) => quality > 0)
    .toSorted((one, other) => other.quality - one.quality)
  return wanted.find(({ language }) => names.has(language))?.language ?? DEFAULT_LANGUAGE
}
