import { en } from './en.ts'
import { LANGUAGES } from './languages.ts'
import { type MessageKey, type Messages, type OwnMessages, type Text, createText } from './text.ts'

/**
 * The texts of each language: Keepsend's, with those of the host in their place.
 *
 * @throws {TypeError} for a language that lacks texts, and for a text that does not exist or is none
 */
export function createTexts(own: Readonly<Record<string, OwnMessages | undefined>> = {}): ReadonlyMap<string, Text> {
  if (!isRecord(own)) throw new TypeError(`messages must be an object of texts by language; found ${String(own)}`)
  const texts = new Map<string, Text>()
  for (const language of new Set([...Object.keys(LANGUAGES), ...Object.keys(own)])) {
    const messages = { ...LANGUAGES[language], ...ownOf(language, own[language]) }
    const missing = KEYS.filter((key) => !Object.hasOwn(messages, key))
    if (missing.length > 0)
      throw new TypeError(`messages.${language} lacks ${missing.length} texts: ${missing.slice(0, 5).join(', ')}`)
    texts.set(language, createText(language, messages as Messages))
  }
  return texts
}

const KEYS = Object.keys(en) as MessageKey[]

/** The texts that the host gives for one language. */
function ownOf(language: string, given: unknown = {}): Partial<Messages> {
  if (!isLanguage(language))
    throw new TypeError(`messages must be named by language, such as fr; found ${JSON.stringify(language)}`)
  if (!isRecord(given)) throw new TypeError(`messages.${language} must be an object of texts; found ${String(given)}`)
  const texts = Object.entries(given).filter(([, text]) => text !== undefined)
  const unknown = texts.map(([key]) => key).filter((key) => !Object.hasOwn(en, key))
  if (unknown.length > 0)
    throw new TypeError(`messages.${language} has texts that no page shows: ${unknown.join(', ')}`)
  for (const key of KEYS) {
    const text = given[key]
    if (text === undefined || typeof text === 'string' || (typeof en[key] === 'object' && isPlural(text))) continue
    const expected = typeof en[key] === 'string' ? 'a text' : 'a text, or one for each plural category with other'
    throw new TypeError(`messages.${language}['${key}'] must be ${expected}; found ${JSON.stringify(text)}`)
  }
  return Object.fromEntries(texts)
}

function isPlural(text: unknown): boolean {
  return (
    isRecord(text) &&
    typeof text['other'] === 'string' &&
    Object.values(text).every((form) => form === undefined || typeof form === 'string')
  )
}

function isLanguage(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1
  } catch {
    return false
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
