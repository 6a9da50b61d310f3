/** Removes secrets from a foreign text. */
export type Redact = (text: string) => string

/**
 * Makes a function that removes secrets from a foreign text that may quote a request: each with and without its scheme name
 * (`Bearer …`), as it is, and in the escaped and encoded forms in which servers print it.
 */
export function createRedactor(secrets: readonly string[]): Redact {
  const found = secrets
    .flatMap((secret) => [secret, secret.replace(/^\w+ +/, '')])
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .flatMap((secret) => FORMS.map((form) => form(secret)))
  // The longest first: it may contain a shorter one.
  const texts = [...new Set(found)].toSorted((a, b) => b.length - a.length)
  return (text) => texts.reduce((rest, secret) => rest.replaceAll(secret, '…'), text)
}

// A shorter text is not a secret, and could be part of any word.
const SHORTEST_SECRET = 4

type Form = (secret: string) => string

const inHex: Form = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

const inJson: Form = (secret) => JSON.stringify(secret).slice(1, -1)
const withSlashes: Form = (secret) => inJson(secret).replaceAll('/', '\\/')
const inAscii: Form = (secret) => inJson(secret).replaceAll(/[\u0080-\uffff]/g, inHex)
const inUrl: Form = (secret) => encodeURIComponent(secret.toWellFormed())
const inForm: Form = (secret) => String(new URLSearchParams({ a: secret })).slice(2)
const inHtml: Form = (secret) =>
  secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** Every form in which a text is looked for. Hexadecimal digits have two cases. */
const FORMS: readonly Form[] = [
  (secret) => secret,
  inJson,
  withSlashes,
  inAscii,
  (secret) => inAscii(secret).replaceAll('/', '\\/'),
  (secret) => inAscii(secret).replaceAll(/\\u[\da-f]{4}/g, (code) => `\\u${code.slice(2).toUpperCase()}`),
  (secret) => inJson(secret).replaceAll(/[<>&]/g, inHex),
  inUrl,
  (secret) => inUrl(secret).replaceAll(/%../g, (code) => code.toLowerCase()),
  inForm,
  inHtml,
  (secret) => inHtml(secret).replaceAll("'", '&#39;'),
  (secret) => inHtml(secret).replaceAll("'", '&#039;'),
]
