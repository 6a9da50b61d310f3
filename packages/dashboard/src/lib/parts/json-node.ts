/** A JSON value as it is written: numbers and texts keep their characters, which `JSON.parse` would change. */
export type JsonNode =
  | { kind: 'text'; written: string }
  | { kind: 'word'; written: string }
  | { kind: 'object'; entries: { key: string; value: JsonNode }[] }
  | { kind: 'array'; items: JsonNode[] }

const TOKEN = /\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:])/y
const MAX_DEPTH = 100

/** Reads a JSON text; undefined if it is none, or is nested deeper than 100 levels. */
export function readJson(text: string): JsonNode | undefined {
  let at = 0
  let ahead = next()

  function next(): string | undefined {
    TOKEN.lastIndex = at
    const token = TOKEN.exec(text)?.[1]
    if (token !== undefined) at = TOKEN.lastIndex
    return token
  }

  function take(): string | undefined {
    const token = ahead
    ahead = next()
    return token
  }

  /** The parts between brackets; undefined at the first that is wrong. */
  function list<T>(end: string, part: () => T | undefined): T[] | undefined {
    const parts: T[] = []
    if (ahead === end) {
      take()
      return parts
    }
    for (;;) {
      const one = part()
      if (one === undefined) return undefined
      parts.push(one)
      const token = take()
      if (token === end) return parts
      if (token !== ',') return undefined
    }
  }

  function value(depth: number): JsonNode | undefined {
    const token = take()
    if (token === undefined || depth > MAX_DEPTH) return undefined
    if (token === '{') {
      const entries = list('}', () => {
        const key = take()
        if (!key?.startsWith('"') || take() !== ':') return undefined
        const found = value(depth + 1)
        return found && { key, value: found }
      })
      return entries && { kind: 'object', entries }
    }
    if (token === '[') {
      const items = list(']', () => value(depth + 1))
      return items && { kind: 'array', items }
    }
    if (/^[}\],:]$/.test(token)) return undefined
    return { kind: token.startsWith('"') ? 'text' : 'word', written: token }
  }

  const node = value(0)
  return ahead === undefined && text.slice(at).trim() === '' ? node : undefined
}

/** The nodes of a tree, itself included, at most `most`. */
export function sizeOf(node: JsonNode, most: number): number {
  const children =
    node.kind === 'object' ? node.entries.map(({ value }) => value) : node.kind === 'array' ? node.items : []
  let size = 1
  for (const child of children) {
    if (size >= most) break
    size += sizeOf(child, most - size)
  }
  return size
}
