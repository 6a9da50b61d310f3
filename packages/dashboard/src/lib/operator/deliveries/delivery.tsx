import { Copy } from '../../parts/copy.tsx'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Body } from '../../parts/json-view.tsx'
import { Moment } from '../../parts/moment.tsx'
import { CopiedIdent } from '../../parts/split.tsx'
import { DeliveryStatus, phaseOf } from '../../parts/status.tsx'
import { showNumber } from '../../reader/reader.ts'
import { FormToken } from '../../parts/form-token.tsx'
import type { Page } from '../../site/visit.ts'
import { AttemptHead, Response } from '../../history/attempt.tsx'
import { Attempts, noAttempt } from '../../history/attempts.tsx'
import { breakable } from '../../parts/breakable.tsx'
import { Curl } from '../../history/curl.tsx'
import { urlsOf } from '../../history/urls-of.ts'
import { DeliveryButtons, ErrorNote, nextInWords } from '../../history/delivery-state.tsx'
import { eventIdOf, findDelivery } from './find-delivery.ts'

const LIVE_MS = 2000

export const deliveryPage: Page = {
  path: '/deliveries/:id',
  section: 'deliveries',
  async show(visit) {
    const { engine, reader, query } = visit
    const { text, link, canAct } = reader
    const found = await findDelivery(visit)
    const { delivery, payload, contentType } = found
    const attempts = delivery.latestAttempts?.rows ?? []
    const chosen = attempts.find(({ id }) => id === query('attempt')) ?? attempts[0]
    const url = (await urlsOf(engine, [delivery])).get(delivery.endpointId ?? '')
    const phase = phaseOf(delivery)
    const eventId = eventIdOf(delivery)
    const raw = query('raw')
    const actions = (
      <>
        <a class="btn" href={link('deliveries', delivery.id, { curl: 1 })}>
          <Icon name="term" />
          {text('delivery.curl')}
        </a>
        <a class="btn" href={link('deliveries', { event: eventId })}>
          <Icon name="deliveries" />
          {text('delivery.of_event')}
        </a>
        {canAct ? <DeliveryButtons delivery={delivery} reader={reader} /> : null}
      </>
    )
    const main = (
      <>
        <Head
          title={<span class="mono">{delivery.type}</span>}
          crumbs={
            <>
              <a href={link('deliveries')}>{text('nav.deliveries')}</a>
              <CopiedIdent id={delivery.id} label={text('copy.id')} />
            </>
          }
          beside={
            <>
              <DeliveryStatus delivery={delivery} reader={reader} />
              <span class="sub">{nextInWords(delivery, reader)}</span>
            </>
          }
          actions={actions}
          reader={reader}
        />
        <form id="act" method="post" action={link('deliveries', delivery.id)}>
          <FormToken reader={reader} />
        </form>
        <ErrorNote delivery={delivery} reader={reader} />
        {query('curl') === undefined ? null : (
          <Curl url={url} payload={payload} contentType={contentType} reader={reader} />
        )}
        <div class="with-aside">
          <div>
            <Attempts delivery={delivery} attempts={attempts} chosen={chosen} reader={reader} />
          </div>
          <aside aria-label={text('delivery.facts')}>
            <div class="sec">
              <dl class="facts">
                <dt>{text('fact.event')}</dt>
                <dd>
                  <CopiedIdent
                    id={eventId}
                    label={text('copy.event_id')}
                    href={link('deliveries', { event: eventId })}
                  />
                </dd>
                <dt>{text('fact.endpoint')}</dt>
                <dd>
                  {url === undefined ? (
                    <span class="dim mono">{delivery.endpointId ?? '–'}</span>
                  ) : (
                    <a class="mono" href={link('endpoints', delivery.workspaceId, delivery.endpointId ?? '')}>
                      {breakable(url)}
                    </a>
                  )}
                </dd>
                <dt>{text('fact.workspace')}</dt>
                <dd>
                  <a href={link('workspaces', delivery.workspaceId)}>{delivery.workspaceId}</a>
                </dd>
                <dt>{text('fact.published')}</dt>
                <dd>
                  <Moment at={delivery.createdAt} reader={reader}>
                    {reader.times.exact(delivery.createdAt)}
                  </Moment>
                </dd>
                <dt>{text('fact.attempts')}</dt>
                <dd>{text('fact.attempts_of', { made: delivery.attempts, most: delivery.maxAttempts })}</dd>
                {payload === null ? null : (
                  <>
                    <dt>{text('fact.payload')}</dt>
                    <dd>{text('bytes', { n: byteLength(payload) })}</dd>
                  </>
                )}
                {delivery.traceId === null ? null : (
                  <>
                    <dt>{text('fact.trace')}</dt>
                    <dd>
                      <CopiedIdent id={delivery.traceId} label={text('copy.id')} />
                    </dd>
                  </>
                )}
                <dt>{text('fact.waits')}</dt>
                <dd>{showNumber(reader, delivery.deferrals)}</dd>
                <dt>{text('fact.crashes')}</dt>
                <dd>{showNumber(reader, delivery.crashes)}</dd>
              </dl>
            </div>
          </aside>
        </div>
        {chosen ? <AttemptHead attempt={chosen} reader={reader} /> : null}
        <div class="grid2 rule flush">
          <section class="http" aria-labelledby="h-req">
            <header>
              <h2 id="h-req">{text('delivery.request')}</h2>
              <span class="row">
                {payload === null ? null : (
                  <>
                    <span class="sub">{text('bytes', { n: byteLength(payload) })}</span>
                    <a
                      class="btn sm"
                      href={link('deliveries', delivery.id, { attempt: chosen?.id, raw: raw === '1' ? undefined : 1 })}
                    >
                      {text(raw === '1' ? 'delivery.tree' : 'delivery.raw')}
                    </a>
                    <Copy label={text('copy.body')} text={payload} />
                  </>
                )}
              </span>
            </header>
            {payload === null ? (
              <p class="dim">{text('delivery.no_payload')}</p>
            ) : raw === '1' ? (
              <pre class="code" tabindex={0}>
                {payload}
              </pre>
            ) : (
              <Body text={payload} reader={reader} />
            )}
          </section>
          <section class="http" aria-labelledby="h-res">
            <header>
              <h2 id="h-res">{text('delivery.response')}</h2>
            </header>
            {chosen ? <Response attempt={chosen} reader={reader} /> : <p class="dim">{noAttempt(delivery, reader)}</p>}
          </section>
        </div>
      </>
    )
    const title = `${delivery.type}, ${text(`state.${phase}`)}`
    return { title, main, liveMs: phase === 'delivered' || phase === 'failed' ? undefined : LIVE_MS }
  },
}

function byteLength(body: string): number {
  return new TextEncoder().encode(body).length
}
