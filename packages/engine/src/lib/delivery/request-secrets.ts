import { fromBase64 } from '../formats/encoding.ts'
import { type Redact, createRedactor } from '../formats/redactor.ts'

interface SentRequest {
  url: Pick<URL, 'search'>
  headers: Readonly<Record<string, string>>
  /** The values of the endpoint's headers and of its credentials. */
  own: readonly string[]
  compatHeader: string | null
}

/**
 * Makes the function that removes from a response what it may repeat of its request: the endpoint's headers and credentials, the
 * signatures, and the query of the URL, as a whole and by its values.
 */
export function createRequestRedactor({ url, headers, own, compatHeader }: SentRequest): Redact {
  const signatures = [headers['webhook-signature'], headers[compatHeader ?? '']].filter((value) => value !== undefined)
  const query = url.search.slice(1)
  const values = query.split('&').map((part) => part.slice(part.indexOf('=') + 1))
  return createRedactor([
    ...own.flatMap((value) => [value, ...basicAuthIn(value)]),
    ...signatures.flatMap((value) => [value, ...(value.match(SIGNATURE) ?? [])]),
    ...[query, ...values, ...new URLSearchParams(query).values()].filter(({ length }) => length >= SHORTEST_VALUE),
  ])
}

// Without the `v1,` or `t=…,v1=` before it.
const SIGNATURE = /[\w+/]{32,}=*/g

// A shorter value of a query is a flag or a number, and could be part of any word.
const SHORTEST_VALUE = 6

/** `user:password` and the password in the value of a header `authorization`; nothing in any other. */
function basicAuthIn(value: string): string[] {
  const [, encoded] = /^basic +(\S+)$/i.exec(value) ?? []
  const bytes = encoded === undefined ? undefined : fromBase64(encoded)
  if (!bytes) return []
  const both = new TextDecoder().decode(bytes)
  return [both, both.slice(both.indexOf(':') + 1)]
}
