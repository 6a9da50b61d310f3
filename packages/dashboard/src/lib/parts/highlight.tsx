import type { Child } from 'hono/jsx'

const KEYWORDS =
  'and any as async await const def else end err export for foreach from func function if import in int let nil not or package raise range require return string throw new unless var void while'

/** Comments, texts, numbers and words of a language, in this order: inside of a text there is no comment. */
const PARTS = new RegExp(
  [
    String.raw`(?<s>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|\`(?:[^\`\\]|\\.)*\`)`,
    String.raw`(?<c>//[^\n]*|(?<=^|\s)#(?=\s)[^\n]*)`,
    String.raw`(?<v>\b\d+\b)`,
    String.raw`(?<k>(?<![.$\w])(?:${KEYWORDS.replaceAll(' ', '|')})\b)`,
  ].join('|'),
  'gm',
)

/** Source code, with the classes of the design for its parts: `s` a text, `c` a comment, `v` a value, `k` a word of the language. */
export function highlight(code: string): Child[] {
  const parts: Child[] = []
  let at = 0
  for (const { index, 0: found, groups = {} } of code.matchAll(PARTS)) {
    const [kind] = Object.entries(groups).find(([, text]) => text !== undefined) ?? []
    parts.push(code.slice(at, index), <span class={kind}>{found}</span>)
    at = index + found.length
  }
  return [...parts, code.slice(at)]
}
