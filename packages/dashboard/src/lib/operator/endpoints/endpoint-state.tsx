import type { Endpoint, Engine } from '@keepsend/engine'
import { Icon } from '../../parts/icon.tsx'
import { Moment } from '../../parts/moment.tsx'
import { showSpan } from '../../reader/durations.ts'
import { type Reader, showUntil } from '../../reader/reader.ts'
import type { Held } from './held-of.ts'

interface StateParts {
  endpoint: Endpoint
  engine: Pick<Engine, 'maxAgeMs' | 'circuit'>
  held: Held
  /** The name of its latest open problem. */
  error: string | undefined
  reader: Reader
}

/** Why an endpoint gets nothing, and until when; nothing for one that works. */
export function StateNote(parts: StateParts) {
  const { endpoint, reader } = parts
  const { status, circuit, pausedUntil } = endpoint
  if (status === 'disabled') return <Disabled {...parts} />
  if (circuit === 'open') return <Open {...parts} />
  if (pausedUntil !== null && pausedUntil > reader.now) return <Paused {...parts} until={pausedUntil} />
  return null
}

function Disabled({ endpoint: { disabledReason, disabledAt }, engine, held, reader }: StateParts) {
  const { text, times } = reader
  return (
    <div class="note">
      <Icon name="off" />
      <div>
        <h2>{text('endpoint.is_disabled')}</h2>
        <div class="two">
          <p>
            {disabledReason === null ? '' : text(`disabled_why.${disabledReason}`)}{' '}
            {disabledAt === null
              ? ''
              : text.rich('endpoint.disabled_since', { time: <Moment at={disabledAt} reader={reader} /> })}
          </p>
          <p>
            {text(held.isMore ? 'confirm.held_more' : 'confirm.held', { n: held.count })}{' '}
            {disabledAt === null ? '' : text('endpoint.collects', { time: times.whole(disabledAt + engine.maxAgeMs) })}
          </p>
        </div>
      </div>
    </div>
  )
}

function Open({ endpoint: { failingSince }, engine: { circuit }, held, error, reader }: StateParts) {
  const { text, times, now } = reader
  const endsAt = failingSince === null ? undefined : failingSince + circuit.disableAfterMs
  return (
    <div class="note warn">
      <Icon name="circuit-open" />
      <div>
        <h2>
          {failingSince === null || error === undefined
            ? text('endpoint.is_open')
            : text('endpoint.is_open_since', { error, time: times.clock(failingSince) })}
        </h2>
        <div class="two">
          <p>
            <b>{text('endpoint.now')}</b> {text(held.isMore ? 'confirm.held_more' : 'confirm.held', { n: held.count })}{' '}
            {text('endpoint.is_open_then', { span: showSpan(circuit.openMs, text) })}
          </p>
          {endsAt === undefined ? null : (
            <p>
              <b>{text('endpoint.if_not')}</b>{' '}
              {text.rich('endpoint.disabled_then', {
                time: (
                  <Moment at={endsAt} reader={reader}>
                    {times.whole(endsAt)}
                  </Moment>
                ),
              })}
            </p>
          )}
        </div>
        {failingSince === null || endsAt === undefined ? null : (
          <div class="gauge">
            <span class="xs">{text('endpoint.failing_for', { span: showSpan(now - failingSince, text) })}</span>
            <meter
              min="0"
              max={circuit.disableAfterMs}
              low={circuit.disableAfterMs / 2}
              high={circuit.disableAfterMs * 0.9}
              optimum={0}
              value={Math.max(0, now - failingSince)}
              aria-label={text('endpoint.gauge', { span: showSpan(circuit.disableAfterMs, text) })}
            />
            <span class="xs dim">{text('endpoint.disabled_in', { span: showUntil(reader, endsAt) })}</span>
          </div>
        )}
      </div>
    </div>
  )
}

function Paused({ held, reader, until }: StateParts & { until: number }) {
  const { text, times } = reader
  return (
    <div class="note warn">
      <Icon name="held" />
      <div>
        <h2>{text('endpoint.is_paused', { span: showUntil(reader, until), time: times.clock(until) })}</h2>
        <p>
          {text(held.isMore ? 'confirm.held_more' : 'confirm.held', { n: held.count })} {text('endpoint.paused_then')}
        </p>
      </div>
    </div>
  )
}
