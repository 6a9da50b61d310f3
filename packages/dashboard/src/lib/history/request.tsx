import type { Child } from 'hono/jsx'
import { Copy } from '../parts/copy.tsx'
import { Body } from '../parts/json-view.tsx'
import type { Reader, Reads } from '../reader/reader.ts'

/** The signature is made for each attempt and is not recorded. */
const NOT_STORED = ['webhook-timestamp', 'webhook-signature']

/** The request of an attempt, as far as it is stored. */
export function Request({
  eventId,
  body,
  endpoint,
  isRaw,
  rawHref,
  reads,
  reader,
}: {
  eventId: string
  body: { payload: string | null; contentType: string | null }
  /** The endpoint; undefined: it is deleted. */
  endpoint: { url: string; headerNames: readonly string[] } | undefined
  /** Whether the body is shown as its text. */
  isRaw: boolean
  /** The address that changes between tree and text. */
  rawHref: string
  reads: Reads
  reader: Reader
}) {
  const { text } = reader
  const { payload, contentType } = body
  const url = endpoint && new URL(endpoint.url)
  return (
    <section class="http" aria-labelledby="h-req">
      <header>
        <h2 id="h-req">{text(reads === 'operator' ? 'delivery.request' : 'portal.request')}</h2>
        <span class="row">
          {payload === null ? null : (
            <>
              <span class="sub">{text('bytes', { n: byteLength(payload) })}</span>
              <a class="btn sm" href={rawHref} aria-current={isRaw ? 'true' : undefined}>
                {text(isRaw ? 'delivery.tree' : 'delivery.raw')}
              </a>
              <Copy label={text('copy.body')} text={payload} />
            </>
          )}
        </span>
      </header>
      {url ? <p class="line">POST {url.pathname}</p> : null}
      <dl class="hdr">
        {url ? <Header name="host">{url.host}</Header> : null}
        <Header name="content-type">{contentType ?? 'application/json'}</Header>
        <Header name="webhook-id">{eventId}</Header>
        {NOT_STORED.map((name) => (
          <Header name={name}>
            <span class="dim">{text('delivery.made_anew')}</span>
          </Header>
        ))}
        {endpoint?.headerNames.map((name) => (
          <Header name={name}>
            <span class="dim">{text('delivery.value_hidden')}</span>
          </Header>
        ))}
      </dl>
      {payload === null ? (
        <p class="dim">{text('delivery.no_payload')}</p>
      ) : isRaw ? (
        <pre class="code" tabindex={0}>
          {payload}
        </pre>
      ) : (
        <Body text={payload} reader={reader} />
      )}
    </section>
  )
}

function Header({ name, children }: { name: string; children: Child }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

export function byteLength(body: string): number {
  return new TextEncoder().encode(body).length
}
