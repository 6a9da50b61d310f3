/** The two families of SQL that Keepsend speaks. D1 is `sqlite`. */
export type DialectName = 'sqlite' | 'postgres'

/**
 * A piece of a statement's text; the pieces add up to the text.
 *
 * - `space`: white space, or a comment
 * - `quoted`: a text, a quoted name, a dollar quote
 * - `word`: a keyword, a name, a number
 * - `parameter`: `?`, `?1`, `$1`, `:name`
 * - `other`: any other character; on Postgres also the operators `??`, `?|`, `?&` and `@?`
 */
export interface Token {
  kind: 'space' | 'quoted' | 'word' | 'parameter' | 'other'
  text: string
}

// An unclosed piece extends to the end of the text, and the database then refuses it with its own message.
const LETTER = String.raw`\w\u0080-\uffff`
const WORD = `(?<word>[${LETTER}][${LETTER}$]*)`

// A doubled quote ends one text and begins the next, so both are skipped. After `E'` a backslash escapes a quote, so
// the prefix matters, and also for a text that continues in another line.
const PLAIN = String.raw`'[^']*'?|"[^"]*"?`
const ESCAPED = String.raw`'[^'\\]*(?:(?:''|\\[^])[^'\\]*)*'?`
const DOLLAR_QUOTE = String.raw`\$(?<tag>(?!\d)[${LETTER}]*)\$[^]*?(?:\$\k<tag>\$|$)`

// The operators of jsonb stand alone: `= ?|4` has one, `=?|4` a parameter.
const OPERATOR = '[+\\-*/<>=~!@#%^&|`?]'
const JSONB = String.raw`\?\?|(?<!${OPERATOR})(?:\?[|&]|@\?)(?!${OPERATOR})`

const RULES: Record<DialectName, RegExp> = {
  sqlite: new RegExp(
    String.raw`(?<space>\s+|--[^\n]*)|(?<quoted>${PLAIN}|\x60[^\x60]*\x60?|\[[^\]]*\]?)|${WORD}` +
      String.raw`|(?<parameter>\?\d*|[:@$][${LETTER}$]+)|(?<other>[^])`,
    'y',
  ),
  postgres: new RegExp(
    String.raw`(?<space>\s+|--[^\r\n]*)|(?<quoted>[eE]${ESCAPED}(?:\s*[\r\n]\s*${ESCAPED})*|${PLAIN}|${DOLLAR_QUOTE})|${WORD}` +
      String.raw`|(?<operator>${JSONB})|(?<parameter>\$\d+|\?)|(?<other>[^])`,
    'y',
  ),
}

/** Splits a statement's text into tokens, as its database would read it. */
export function tokens(text: string, dialect: DialectName): Token[] {
  const found: Token[] = []
  for (let at = 0; at < text.length; at += found.at(-1)?.text.length ?? 1) {
    found.push(text.startsWith('/*', at) ? comment(text, at, dialect) : next(RULES[dialect], text, at))
  }
  return found
}

function next(rule: RegExp, text: string, at: number): Token {
  rule.lastIndex = at
  const match = rule.exec(text)
  const groups = match?.groups ?? {}
  const kind = (['space', 'quoted', 'word', 'parameter'] as const).find((name) => groups[name] !== undefined) ?? 'other'
  return { kind, text: match?.[0] ?? text.slice(at) }
}

/** Comments can be nested on Postgres. */
function comment(text: string, begin: number, dialect: DialectName): Token {
  const edge = /\/\*|\*\//g
  edge.lastIndex = begin + 2
  let depth = 1
  let end = text.length
  for (let match = edge.exec(text); match && depth > 0; match = edge.exec(text)) {
    if (match[0] === '*/') depth -= 1
    else if (dialect === 'postgres') depth += 1
    if (depth === 0) end = edge.lastIndex
  }
  return { kind: 'space', text: text.slice(begin, end) }
}
