/** Characters of a `content-type` header, at most. */
export const MAX_CONTENT_TYPE_LENGTH = 255

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
// Visible ASCII between the quotes, and spaces.
const QUOTED = String.raw`"(?:[ !#-[\]-~]|\\[ -~])*"`
// RFC 9110, section 8.3.1. A parameter has a name and a value, so that no blank can be read in two ways.
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?: *; *${TOKEN}=(?:${TOKEN}|${QUOTED}))*$`)
const CHARSET = /; *charset="?([^"; ]*)/gi

/** What is wrong with a media type, to follow the name of the property that has it; undefined where nothing is. */
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
