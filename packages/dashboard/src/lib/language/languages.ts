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
  const names = [...known]
  if (cookie !== undefined && names.includes(cookie)) return cookie
  const wanted = (accepted ?? '')
    .slice(0, 500)
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.trim().split(';')
      const quality = Number(/^\s*q=([\d.]+)$/.exec(parameters[0] ?? '')?.[1] ?? 1)
      return { tag: tag.toLowerCase(), quality }
    })
    .filter(({ quality }) => quality > 0)
    .toSorted((one, other) => other.quality - one.quality)
  for (const { tag } of wanted) {
    const parts = tag.split('-')
    const tags = parts.map((_, left) => parts.slice(0, parts.length - left).join('-'))
    // The region that was asked for, the language of any region, then another region of it.
    const [found] = [
      ...tags.flatMap((shorter) => names.filter((name) => name.toLowerCase() === shorter)),
      ...names.filter((name) => name.toLowerCase().startsWith(`${parts[0]}-`)),
    ]
    if (found !== undefined) return found
  }
  return DEFAULT_LANGUAGE
}
