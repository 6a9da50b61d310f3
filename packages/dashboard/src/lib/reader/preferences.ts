import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { isTimeZone } from './times.ts'

/** How a reader wants the pages, from a cookie for each. */
export interface Preferences {
  theme: 'light' | 'dark' | undefined
  /** A name of the IANA database. @default UTC */
  zone: string
  language: string | undefined
  /** Whether keys act. */
  keys: boolean
}

const COOKIES = { theme: 'keepsend_theme', zone: 'keepsend_zone', language: 'keepsend_language', keys: 'keepsend_keys' }
const YEAR_S = 31_536_000
const MAX_LENGTH = 64

/** @param defaults for what the reader has not chosen */
export function preferencesOf(
  c: Context,
  defaults: Partial<Pick<Preferences, 'theme' | 'language'>> = {},
): Preferences {
  const theme = getCookie(c, COOKIES.theme)
  const zone = getCookie(c, COOKIES.zone)
  return {
    theme: theme === 'light' || theme === 'dark' ? theme : theme === 'system' ? undefined : defaults.theme,
    zone: zone !== undefined && isTimeZone(zone) ? zone : 'UTC',
    language: getCookie(c, COOKIES.language) ?? defaults.language,
    keys: getCookie(c, COOKIES.keys) !== 'off',
  }
}

/** Stores those of a form and goes back to the page that the reader came from. */
export function storePreferences(c: Context, form: Readonly<Record<string, unknown>>, home: string): Response {
  for (const [name, cookie] of Object.entries(COOKIES)) {
    const value = form[name]
    if (typeof value !== 'string' || value.length > MAX_LENGTH) continue
    if (name === 'zone' && !isTimeZone(value)) continue
    setCookie(c, cookie, value, { path: home, maxAge: YEAR_S, httpOnly: true, sameSite: 'Lax' })
  }
  const back = form['back']
  return c.redirect(typeof back === 'string' && isWithin(back, home) ? back : home, 303)
}

/** Whether an address is a path of these pages: never another host's, nor one above `home` by dots. */
export function isWithin(address: string, home: string): boolean {
  if (!/^\/(?!\/)[\w.~%!$&'()*+,;=:@/?-]*$/.test(address)) return false
  const { pathname } = new URL(address, 'https://host.invalid')
  return pathname === home || pathname.startsWith(home === '/' ? home : `${home}/`)
}
