import type { Reader } from '../reader/reader.ts'
import { type JsonNode, readJson, sizeOf } from './json-node.ts'

const OPEN_LEVELS = 3
// Of a larger one the text is shown: a page has at most 60 kB.
const MAX_NODES = 500
const MAX_SHOWN = 20_000

/** A body, as a tree where it is JSON and not too large, else as its text. */
export function Body({ text: body, reader }: { text: string; reader: Reader }) {
  const node = body.length <= MAX_SHOWN ? readJson(body) : undefined
  if (node && sizeOf(node, MAX_NODES + 1) <= MAX_NODES) {
    return (
      <div class="json">
        <Node node={node} level={1} end="" reader={reader} />
      </div>
    )
  }
  return (
    <pre class="code" tabindex={0}>
      {body.slice(0, MAX_SHOWN)}
      {body.length > MAX_SHOWN ? '…' : ''}
    </pre>
  )
}

function Node({
  node,
  name,
  level,
  end,
  reader,
}: {
  node: JsonNode
  name?: string
  level: number
  end: string
  reader: Reader
}) {
  const { text } = reader
  const label =
    name === undefined ? (
      ''
    ) : (
      <>
        <span>{name}</span>:{' '}
      </>
    )
  if (node.kind === 'text' || node.kind === 'word')
    return (
      <>
        {label}
        <span class={node.kind === 'text' ? 's' : 'v'}>{node.written}</span>
        {end}
      </>
    )
  const [open, close] = node.kind === 'object' ? ['{', '}'] : ['[', ']']
  const parts: readonly { key?: string; value: JsonNode }[] =
    node.kind === 'object' ? node.entries : node.items.map((value) => ({ value }))
  if (parts.length === 0)
    return (
      <>
        {label}
        {open}
        {close}
        {end}
      </>
    )
  const count =
    node.kind === 'object' ? text('json.keys', { n: parts.length }) : text('json.items', { n: parts.length })
  return (
    <details open={level <= OPEN_LEVELS}>
      <summary>
        {label}
        {open} <span class="m">{count}</span>
      </summary>
      <ul>
        {parts.map(({ key, value }, at) => (
          <li>
            <Node
              node={value}
              {...(key === undefined ? {} : { name: key })}
              level={level + 1}
              end={at < parts.length - 1 ? ',' : ''}
              reader={reader}
            />
          </li>
        ))}
      </ul>
      {close}
      {end}
    </details>
  )
}
