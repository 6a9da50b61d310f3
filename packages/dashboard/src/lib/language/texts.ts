import { en } from './en.ts'
import { LANGUAGES } from './languages.ts'
import { type Messages, type Text, createText } from './text.ts'

/**
 * The texts of each language: Keepsend's, with those of the host in their place.
 *
 * @throws {TypeError} for a language that lacks texts, and for a text that does not exist
 */
export function createTexts(own: Readonly<Record<string, Partial<Messages>>> = {}): ReadonlyMap<string, Text> {
  const keys = Object.keys(en)
  const texts = new Map<string, Text>()
  for (const language of new Set([...Object.keys(LANGUAGES), ...Object.keys(own)])) {
    const messages = { ...LANGUAGES[language], ...own[language] }
    const unknown = Object.keys(messages).filter((key) => !keys.includes(key))
    const missing = keys.filter((key) => !(key in messages))
    if (unknown.length > 0)
      throw new TypeError(`messages.${language} has texts that no page shows: ${unknown.join(', ')}`)
    if (missing.length > 0)
      throw new TypeError(`messages.${language} lacks ${missing.length} texts: ${missing.slice(0, 5).join(', ')}`)
    texts.set(language, createText(language, messages as Messages))
  }
  return texts
}
