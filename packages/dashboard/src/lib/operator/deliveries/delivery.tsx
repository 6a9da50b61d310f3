import { type DeliveryWithAttempts, allWorkspaces } from '@keepsend/engine'
import { AttemptHead, Response } from '../../history/attempt.tsx'
import { Attempts, noAttempt } from '../../history/attempts.tsx'
import { Curl, curlOf } from '../../history/curl.tsx'
import { nextInWords } from '../../history/delivery-state.tsx'
import { endpointsOf } from '../../history/endpoints-of.ts'
import { ErrorNote } from '../../history/error-note.tsx'
import { eventIdOf, findDelivery } from '../../history/find-delivery.ts'
import { Request } from '../../history/request.tsx'
import { supportText } from '../../history/support-text.ts'
import { FormToken } from '../../parts/form-token.tsx'
import { Head } from '../../parts/head.tsx'
import { CopiedIdent } from '../../parts/split.tsx'
import { DeliveryStatus, phaseOf } from '../../parts/status.tsx'
import type { Reader } from '../../reader/reader.ts'
import type { Page } from '../../site/visit.ts'
import { DeliveryActions } from './delivery-buttons.tsx'
import { DeliveryFacts } from './delivery-facts.tsx'

const LIVE_MS = 2000
// Of a larger one the button opens the page that shows the command: it would stand in this page once more.
const MAX_COPIED = 8000

export const deliveryPage: Page = {
  path: '/deliveries/:id',
  section: 'deliveries',
  async show(visit) {
    const { engine, reader, param, query } = visit
    const { text, link } = reader
    const { delivery, payload, contentType } = await findDelivery(engine, allWorkspaces, param('id'))
    const attempts = delivery.latestAttempts?.rows ?? []
    const chosen = attempts.find(({ id }) => id === query('attempt')) ?? attempts[0]
    const endpoint = (await endpointsOf(engine, [delivery])).get(delivery.endpointId ?? '')
    const phase = phaseOf(delivery)
    const eventId = eventIdOf(delivery)
    const isRaw = query('raw') === '1'
    const curl = endpoint && payload !== null ? { url: endpoint.url, payload, contentType, eventId } : undefined
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
          actions={
            <DeliveryActions
              delivery={delivery}
              endpoint={endpoint}
              eventId={eventId}
              curl={curl && curl.payload.length <= MAX_COPIED ? curlOf(curl) : undefined}
              support={supportText(delivery, { eventId, url: endpoint?.url }, reader)}
              reader={reader}
            />
          }
          reader={reader}
        />
        <form id="act" method="post" action={link('deliveries', delivery.id)}>
          <FormToken reader={reader} />
        </form>
        <ErrorNote delivery={delivery} reads="operator" reader={reader}>
          <WaysOn delivery={delivery} hasHistory={delivery.latestAttempts !== undefined} reader={reader} />
        </ErrorNote>
        {query('curl') === undefined ? null : <Curl parts={curl} reader={reader} />}
        <div class="with-aside">
          <div>
            <Attempts delivery={delivery} attempts={attempts} chosen={chosen} reads="operator" reader={reader} />
          </div>
          <aside aria-label={text('delivery.facts')}>
            <div class="sec">
              <DeliveryFacts
                delivery={delivery}
                eventId={eventId}
                url={endpoint?.url}
                payload={payload}
                reader={reader}
              />
            </div>
          </aside>
        </div>
        {chosen ? <AttemptHead attempt={chosen} reader={reader} /> : null}
        <div class="grid2 rule flush">
          <Request
            eventId={eventId}
            body={{ payload, contentType }}
            endpoint={endpoint}
            isRaw={isRaw}
            rawHref={link('deliveries', delivery.id, { attempt: query('attempt'), raw: isRaw ? undefined : 1 })}
            reads="operator"
            reader={reader}
          />
          <section class="http" aria-labelledby="h-res">
            <header>
              <h2 id="h-res">{text('delivery.response')}</h2>
            </header>
            {chosen ? (
              <Response attempt={chosen} reads="operator" reader={reader} />
            ) : (
              <p class="dim">{noAttempt(delivery, 'operator', reader)}</p>
            )}
          </section>
        </div>
      </>
    )
    const title = `${delivery.type}, ${text(`state.${phase}`)}`
    return { title, main, liveMs: phase === 'delivered' || phase === 'failed' ? undefined : LIVE_MS }
  },
}

/** From the error of one delivery to all that failed like it. */
function WaysOn({
  delivery: { workspaceId, endpointId, lastStatus },
  hasHistory,
  reader: { text, link },
}: {
  delivery: DeliveryWithAttempts
  hasHistory: boolean
  reader: Reader
}) {
  const endpoint = endpointId ?? undefined
  return (
    <>
      <a
        class="btn sm"
        href={link('replays', 'new', {
          what: 'failed',
          workspace: workspaceId,
          endpoint,
          code: lastStatus ?? undefined,
          http: lastStatus === null ? 'no_response' : undefined,
        })}
      >
        {text('note.all')}…
      </a>
      {hasHistory ? (
        <a class="link" href={link('problems', { workspace: workspaceId, endpoint })}>
          {text('note.problem')}
        </a>
      ) : null}
    </>
  )
}
