import { type Endpoint, type DeliveryWithAttempts, EngineError } from '@keepsend/engine'
import { AttemptHead, Response } from '../../history/attempt.tsx'
import { Attempts, noAttempt } from '../../history/attempts.tsx'
import { Curl, curlOf } from '../../history/curl.tsx'
import { nextInWords } from '../../history/delivery-state.tsx'
import { endpointsOf } from '../../history/endpoints-of.ts'
import { ErrorNote } from '../../history/error-note.tsx'
import { type FoundDelivery, eventIdOf, findDelivery } from '../../history/find-delivery.ts'
import { Request } from '../../history/request.tsx'
import { unlessOff } from '../../history/unless-off.ts'
import { FormToken } from '../../parts/form-token.tsx'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Moment } from '../../parts/moment.tsx'
import { CopiedIdent } from '../../parts/split.tsx'
import { DeliveryStatus, phaseOf } from '../../parts/status.tsx'
import { showRelative } from '../../reader/reader.ts'
import type { PortalAction, PortalPage, PortalVisit } from '../portal-visit.ts'
import { hostOf } from './in-words.ts'

const LIVE_MS = 2000
// Of a larger one the button opens the page that shows the command: it would stand in this page once more.
const MAX_COPIED = 8000
const CLIENT_ERRORS = [400, 499] as const

/** One delivery: why the endpoint did not get it, and the bytes of both sides. */
export const portalDeliveryPage: PortalPage = {
  path: '/deliveries/:id',
  section: 'endpoints',
  async show(visit) {
    const { engine, workspaceId, reader, param, query } = visit
    const { text, link } = reader
    const found = await findDelivery(engine, workspaceId, param('id'))
    const { delivery } = found
    const endpoint = (await endpointsOf(engine, [delivery], workspaceId)).get(delivery.endpointId ?? '')
    const body = await bodyOf(visit, found, endpoint)
    const attempts = delivery.latestAttempts?.rows ?? []
    const chosen = attempts.find(({ id }) => id === query('attempt')) ?? attempts[0]
    const eventId = eventIdOf(delivery)
    const phase = phaseOf(delivery)
    const isRaw = query('raw') === '1'
    const { payload } = body
    const curl = endpoint && payload !== null ? { ...body, url: endpoint.url, payload, eventId } : undefined
    const main = (
      <>
        <Top delivery={delivery} endpoint={endpoint} curl={curl && curlOf(curl)} visit={visit} />
        <ErrorNote delivery={delivery} reads="customer" reader={reader}>
          <MoreAbout delivery={delivery} endpoint={endpoint} visit={visit} />
        </ErrorNote>
        {query('curl') === undefined ? null : (
          <div class="panel">
            <Curl parts={curl} reader={reader} />
          </div>
        )}
        <div class="panel">
          <Attempts delivery={delivery} attempts={attempts} chosen={chosen} reads="customer" reader={reader} />
          {attempts.length > 1 && chosen ? <AttemptHead attempt={chosen} reader={reader} /> : null}
        </div>
        <div class="panel grid2 flush">
          <Request
            eventId={eventId}
            body={body}
            endpoint={endpoint}
            isRaw={isRaw}
            rawHref={link('deliveries', delivery.id, { attempt: query('attempt'), raw: isRaw ? undefined : 1 })}
            reads="customer"
            reader={reader}
          />
          <section class="http" aria-labelledby="h-res">
            <header>
              <h2 id="h-res">{text('portal.response')}</h2>
            </header>
            {chosen ? (
              <Response attempt={chosen} reads="customer" reader={reader} />
            ) : (
              <p class="dim">{noAttempt(delivery, 'customer', reader)}</p>
            )}
          </section>
        </div>
      </>
    )
    const title = `${delivery.type}, ${text(`state.${phase}`)}`
    return { title, main, liveMs: phase === 'delivered' || phase === 'failed' ? undefined : LIVE_MS }
  },
}

/** Sends it again: a replay of one delivery, which the audit records. */
export const sendAgainAction: PortalAction = {
  path: '/deliveries/:id',
  needs: 'replays:write',
  async act({ engine, workspaceId, reader, param, field, by }) {
    const id = param('id')
    // Before the form is looked at: a delivery of another workspace is answered like one that does not exist.
    await engine.deliveries.getWithAttempts(workspaceId, id)
    if (field('do') !== 'replay')
      throw new EngineError('invalid_request', `a delivery can be sent again; found ${field('do') ?? 'nothing'}`)
    await engine.deliveries.replay(workspaceId, id, { by })
    return reader.link('deliveries', id)
  },
}

/**
 * The body that was sent. That of a delivered delivery, whose row is gone, is the one of its event: it is left out where the endpoint
 * got a version of its own.
 */
async function bodyOf(
  { engine, workspaceId }: PortalVisit,
  { delivery, payload, contentType }: FoundDelivery,
  endpoint: Endpoint | undefined,
): Promise<Pick<FoundDelivery, 'payload' | 'contentType'>> {
  if (payload !== null || !engine.recordsEvents) return { payload, contentType }
  const event = await unlessOff(() => engine.events.get(workspaceId, eventIdOf(delivery)))
  const isSame = event && (event.eventVersion === null || event.eventVersion === endpoint?.eventVersion)
  return isSame ? { payload: event.payload, contentType: event.contentType } : { payload: null, contentType }
}

function Top({
  delivery,
  endpoint,
  curl,
  visit: { reader, may },
}: {
  delivery: DeliveryWithAttempts
  endpoint: Endpoint | undefined
  /** The request as a command. */
  curl: string | undefined
  visit: PortalVisit
}) {
  const { text, link, times } = reader
  const { id, createdAt } = delivery
  const phase = phaseOf(delivery)
  // Nothing can be sent to an endpoint that is deleted.
  const canSend = may('replays:write') && endpoint !== undefined && (phase === 'delivered' || phase === 'failed')
  return (
    <>
      <Head
        title={<span class="mono">{delivery.type}</span>}
        crumbs={
          <>
            <a href={link()}>{text('nav.endpoints')}</a>
            {endpoint ? (
              <a class="mono" href={link('endpoints', endpoint.id)}>
                {hostOf(endpoint)}
              </a>
            ) : null}
            <CopiedIdent id={eventIdOf(delivery)} label={text('copy.event_id')} />
          </>
        }
        beside={
          <>
            <DeliveryStatus delivery={delivery} reads="customer" reader={reader} />
            <span class="sub">{phase === 'failed' ? '' : nextInWords(delivery, reader)}</span>
          </>
        }
        below={
          <p class="dim">
            <Moment at={createdAt} reader={reader}>
              {times.whole(createdAt)}
            </Moment>
            , {showRelative(reader, createdAt)}
          </p>
        }
        actions={
          <>
            {curl === undefined ? null : (
              <a
                class="btn"
                href={link('deliveries', id, { curl: 1 })}
                data-copy={curl.length <= MAX_COPIED ? curl : undefined}
              >
                <Icon name="term" />
                {text('delivery.curl')}
              </a>
            )}
            {canSend ? (
              <button class="btn primary" form="act" name="do" value="replay" data-key="r">
                <Icon name="replay" />
                {text('portal.send_again')}
              </button>
            ) : null}
          </>
        }
        reader={reader}
      />
      {canSend ? (
        <form id="act" method="post" action={link('deliveries', id)}>
          <FormToken reader={reader} />
        </form>
      ) : null}
    </>
  )
}

/** Why there was only one attempt, and how signatures are checked. */
function MoreAbout({
  delivery: { lastStatus, status, attempts },
  endpoint,
  visit: { reader },
}: {
  delivery: DeliveryWithAttempts
  endpoint: Endpoint | undefined
  visit: PortalVisit
}) {
  const { text, link } = reader
  const [least, most] = CLIENT_ERRORS
  const isFinal =
    status === 'failed' && attempts === 1 && lastStatus !== null && lastStatus >= least && lastStatus <= most
  const isRefused = lastStatus === 401 || lastStatus === 403
  return (
    <>
      {isFinal ? <p>{text('portal.not_repeated')}</p> : null}
      {isRefused && endpoint ? (
        <a class="link" href={link('endpoints', endpoint.id, 'secret')}>
          {text('portal.how_to_check')}
        </a>
      ) : null}
    </>
  )
}
