/** Longest `content-type` header, in characters. */
export const MAX_CONTENT_TYPE_LENGTH = 255

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
// Visible ASCII between the quotes, and spaces.
const QUOTED = String.raw`"(?:[ !#-[\]-~]|\\[ -~])*"`
// RFC 9110, section 8.3.1. A parameter needs a name and a value, so that no space is ambiguous.
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?: *; *${TOKEN}=(?:${TOKEN}|${QUOTED}))*$`)
const CHARSET = /; *charset="?([^"; ]*)/gi

/** Why a text is no valid media type, to follow the name of its property; undefined when it is valid. */
export function contentTypeProblem(text: unknown): string | undefined {
  if (typeof text !== 'string') return `must be a media type such as application/xml; found ${typeof text}`
  const shown = JSON.stringify(text.slice(0, 100))
  if (text.length > MAX_CONTENT_TYPE_LENGTH) {
    return `must be at most ${MAX_CONTENT_TYPE_LENGTH} characters; found ${text.length}`
  }
  if (!MEDIA_TYPE.test(text)) {
    return `must be a media type such as application/xml, in visible ASCII; found ${shown}`
  }
  const others = [...text.matchAll(CHARSET)].filter(([, charset = '']) => !/^utf-?8$/i.test(charset))
  return others.length > 0
    ? `must name no charset but utf-8, in which every payload is sent; found ${shown}`
    : undefined
}
