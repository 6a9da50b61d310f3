import { DeliveriesTable } from '../../history/deliveries-table.tsx'
import { urlsOf } from '../../history/urls-of.ts'
import { Copy } from '../../parts/copy.tsx'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Body } from '../../parts/json-view.tsx'
import { Moment } from '../../parts/moment.tsx'
import { CopiedIdent } from '../../parts/split.tsx'
import type { Page } from '../../site/visit.ts'

const SHOWN_ROWS = 50

/** One published event: its payload, and the stored deliveries of it. */
export const publishedEventPage: Page = {
  path: '/published/:workspace/:id',
  section: 'events',
  async show({ engine, reader, param }) {
    const { text, link, times } = reader
    const workspaceId = param('workspace')
    const event = await engine.events.get(workspaceId, param('id'))
    const rows = event.rows.slice(0, SHOWN_ROWS)
    const urls = await urlsOf(engine, rows, workspaceId)
    const { id, type, payload, channels, createdAt, eventVersion, traceId } = event
    const main = (
      <>
        <Head
          title={<span class="mono">{type}</span>}
          crumbs={
            <>
              <a href={link('published')}>{text('published.title')}</a>
              <CopiedIdent id={id} label={text('copy.event_id')} />
            </>
          }
          actions={
            <a class="btn" href={link('deliveries', { event: id, workspace: workspaceId })}>
              <Icon name="deliveries" />
              {text('nav.deliveries')}
            </a>
          }
          reader={reader}
        />
        <div class="with-aside">
          <div>
            <div class="sec-h">
              <h2>{text('published.deliveries')}</h2>
            </div>
            {rows.length === 0 ? (
              <p class="sec dim">{text('published.no_delivery')}</p>
            ) : (
              <DeliveriesTable
                rows={rows}
                urls={urls}
                caption={text('published.deliveries')}
                picks={false}
                reader={reader}
              />
            )}
          </div>
          <aside aria-label={text('delivery.facts')}>
            <div class="sec">
              <dl class="facts">
                <dt>{text('fact.workspace')}</dt>
                <dd>
                  <a href={link('workspaces', workspaceId)}>{workspaceId}</a>
                </dd>
                <dt>{text('fact.published')}</dt>
                <dd>
                  <Moment at={createdAt} reader={reader}>
                    {times.exact(createdAt)}
                  </Moment>
                </dd>
                <dt>{text('fact.channels')}</dt>
                <dd>{channels === null ? '–' : channels.length === 0 ? text('none') : channels.join(', ')}</dd>
                {eventVersion === null ? null : (
                  <>
                    <dt>{text('fact.event_version')}</dt>
                    <dd class="mono">{eventVersion}</dd>
                  </>
                )}
                {traceId === null ? null : (
                  <>
                    <dt>{text('fact.trace')}</dt>
                    <dd>
                      <CopiedIdent id={traceId} label={text('copy.id')} />
                    </dd>
                  </>
                )}
              </dl>
            </div>
          </aside>
        </div>
        <section class="http rule">
          <header>
            <h2>{text('fact.payload')}</h2>
            {payload === null ? null : <Copy label={text('copy.body')} text={payload} />}
          </header>
          {payload === null ? (
            <p class="dim">{text('delivery.no_payload')}</p>
          ) : (
            <Body text={payload} reader={reader} />
          )}
        </section>
      </>
    )
    return { title: type, main }
  },
}
