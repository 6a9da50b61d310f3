import type { Endpoint, EndpointStatistics } from '@keepsend/engine'
import { dayOf } from '../../history/day-of.ts'
import { Copy } from '../../parts/copy.tsx'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Body } from '../../parts/json-view.tsx'
import { Spark } from '../../parts/spark.tsx'
import { ShownUrl } from '../../parts/split.tsx'
import { EndpointStatus } from '../../parts/status.tsx'
import { NextPager } from '../../parts/pager.tsx'
import { type Reader, showNumber } from '../../reader/reader.ts'
import type { PortalPage, PortalVisit } from '../portal-visit.ts'

const PAGE_ROWS = 50

/** The first page: the customer's URLs, and how they do. */
export const portalEndpointsPage: PortalPage = {
  path: '/',
  section: 'endpoints',
  async show(visit) {
    const { engine, reader, workspaceId, may, sender, query } = visit
    const { text, link } = reader
    const after = query('after')
    const endpoints = await engine.endpoints.list(workspaceId, { limit: PAGE_ROWS, after })
    const title = text('nav.endpoints')
    if (endpoints.length === 0 && after === undefined) return { title, main: <Empty visit={visit} /> }
    const day = await dayOf(engine, workspaceId, { endpoints, now: reader.now })
    const main = (
      <>
        <Head
          title={title}
          about={text('portal.endpoints_what', { sender })}
          actions={
            may('endpoints:write') ? (
              <a class="btn primary" href={link('endpoints', 'new')}>
                <Icon name="plus" />
                {text('endpoints.add')}
              </a>
            ) : undefined
          }
          reader={reader}
        />
        <div class="panel">
          <table class="rows">
            <caption class="sr">{title}</caption>
            <thead>
              <tr>
                <th scope="col">{text('column.endpoint')}</th>
                <th scope="col">{text('column.state')}</th>
                <th scope="col">{text('portal.column_day')}</th>
                <th scope="col" class="n">
                  {text('portal.column_delivered')}
                </th>
                <th scope="col" class="n">
                  <span class="sr">{text('portal.column_note')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {endpoints.map((endpoint) => (
                <Row endpoint={endpoint} day={day?.get(endpoint.id)} reader={reader} />
              ))}
            </tbody>
          </table>
          {endpoints.length === PAGE_ROWS ? (
            <NextPager next={link({ after: endpoints.at(-1)?.id })} reader={reader} />
          ) : null}
        </div>
      </>
    )
    return { title, main, liveMs: 10_000 }
  },
}

function Row({ endpoint, day, reader }: { endpoint: Endpoint; day: EndpointStatistics | undefined; reader: Reader }) {
  const { text, link } = reader
  const { id, url, description, eventTypes } = endpoint
  const failed = day ? day.failed + day.retried : 0
  const types = eventTypes.includes('*') ? text('portal.all_events') : text('portal.types', { n: eventTypes.length })
  return (
    <tr>
      <td class="fill tx a">
        <ShownUrl url={url} href={link('endpoints', id)} />
        <br />
        <span class="sub">{description === '' ? types : `${description} · ${types}`}</span>
      </td>
      <td class="b">
        <EndpointStatus endpoint={endpoint} reader={reader} />
      </td>
      <td class="e">
        {day ? (
          <Spark
            buckets={day.buckets.map((hour) => ({ delivered: hour.delivered, failed: hour.failed + hour.retried }))}
            label={text('endpoints.day', { delivered: day.delivered, failed })}
          />
        ) : null}
      </td>
      <td class="n c">{day && day.delivered > 0 ? showNumber(reader, day.delivered) : <span class="dim">–</span>}</td>
      <td class="n f sub">{noteOf(endpoint, day, reader)}</td>
    </tr>
  )
}

function noteOf({ disabledReason }: Endpoint, day: EndpointStatistics | undefined, { text }: Reader) {
  if (disabledReason !== null) return text(`disabled.${disabledReason}`)
  if (!day) return ''
  if (day.failed > 0) return <span class="bad tone">{text('portal.note_failed', { n: day.failed })}</span>
  return text(day.delivered > 0 ? 'portal.note_all' : 'portal.note_none')
}

const RECEIVER = `import { createServer } from 'node:http'

createServer(async (request, response) => {
  for await (const chunk of request) process.stdout.write(chunk)
  response.writeHead(204).end()
}).listen(4000)`

/** What the portal is for, before there is an endpoint. */
function Empty({ visit: { engine, reader, may, sender } }: { visit: PortalVisit }) {
  const { text, link } = reader
  const [first] = engine.eventTypes({ deprecated: false })
  const example = {
    type: first?.type ?? 'example.created',
    timestamp: new Date(reader.now).toISOString(),
    data: first?.example ?? { id: 'ex_1' },
  }
  return (
    <div class="split even">
      <div class="stack big-gap">
        <div>
          <h1>{text('portal.empty')}</h1>
          <p class="dim">{text('portal.empty_what', { sender })}</p>
        </div>
        <div class="row">
          {may('endpoints:write') ? (
            <a class="btn primary" href={link('endpoints', 'new')}>
              <Icon name="plus" />
              {text('portal.add_first')}
            </a>
          ) : null}
          {first ? (
            <a class="btn" href={link('events')}>
              {text('portal.see_events')}
            </a>
          ) : null}
        </div>
        <section class="stack tight" aria-labelledby="h-try">
          <h2 id="h-try">{text('portal.no_server')}</h2>
          <p class="dim">{text('portal.no_server_what')}</p>
          <div class="snip">
            <pre class="code" tabindex={0}>
              {RECEIVER}
            </pre>
            <Copy label={text('copy.body')} text={RECEIVER} />
          </div>
        </section>
      </div>
      <aside class="http panel" aria-label={text('portal.example_request')}>
        <p class="line">POST /webhooks</p>
        <dl class="hdr">
          <dt>webhook-id</dt>
          <dd>evt_01a111a1-07d0…</dd>
          <dt>webhook-signature</dt>
          <dd>v1,9c1SxRRVIo6x…</dd>
        </dl>
        <Body text={JSON.stringify(example, null, 2)} reader={reader} />
      </aside>
    </div>
  )
}
