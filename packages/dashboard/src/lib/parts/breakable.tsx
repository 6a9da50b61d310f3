import type { Child } from 'hono/jsx'

/** A URL that a narrow column may break behind a dot or a slash, without `https://`. */
export function breakable(url: string): Child[] {
  return url
    .replace(/^https:\/\//, '')
    .split(/(?<=[./])/)
    .flatMap((part) => [part, <wbr />])
}
