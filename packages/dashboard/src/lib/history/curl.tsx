import { Copy } from '../parts/copy.tsx'
import type { Reader } from '../reader/reader.ts'

/** A request to repeat by hand. */
export interface CurlParts {
  url: string
  payload: string
  contentType: string | null
  eventId: string
}

/** The request as a command. The signature is left out: it is made anew for each attempt. */
export function curlOf({ url, payload, contentType, eventId }: CurlParts): string {
  const lines = [
    `curl -X POST ${quoted(url)}`,
    `-H ${quoted(`content-type: ${contentType ?? 'application/json'}`)}`,
    `-H ${quoted(`webhook-id: ${eventId}`)}`,
    `--data-binary ${quoted(payload)}`,
  ]
  return lines.join(' \\\n  ')
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", String.raw`'\''`)}'`
}

/** The command, in the page. */
export function Curl({ parts, reader: { text } }: { parts: CurlParts | undefined; reader: Reader }) {
  if (parts === undefined) return <p class="sec dim">{text('delivery.no_payload')}</p>
  const command = curlOf(parts)
  return (
    <div class="sec">
      <div class="snip">
        <pre class="code" tabindex={0}>
          {command}
        </pre>
        <Copy label={text('delivery.copy_curl')} text={command} />
      </div>
    </div>
  )
}
