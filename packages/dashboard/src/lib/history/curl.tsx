import { Copy } from '../parts/copy.tsx'
import type { Reader } from '../reader/reader.ts'

/** The request as a command. The signature is left out: it is made anew for each attempt. */
export function Curl({
  url,
  payload,
  contentType,
  reader: { text },
}: {
  url: string | undefined
  payload: string | null
  contentType: string | null
  reader: Reader
}) {
  if (payload === null || url === undefined) return <p class="sec dim">{text('delivery.no_payload')}</p>
  const quoted = (value: string): string => `'${value.replaceAll("'", String.raw`'\''`)}'`
  const command = `curl -X POST ${quoted(url)} \\\n  -H ${quoted(`content-type: ${contentType ?? 'application/json'}`)} \\\n  --data-binary ${quoted(payload)}`
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
