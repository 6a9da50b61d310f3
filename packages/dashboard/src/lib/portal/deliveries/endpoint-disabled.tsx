import type { Endpoint } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { explainError } from '../../history/errors.ts'
import { FormToken } from '../../parts/form-token.tsx'
import { Icon } from '../../parts/icon.tsx'
import { showSpan } from '../../reader/durations.ts'
import type { PortalVisit } from '../portal-visit.ts'
import { Note } from './endpoint-note.tsx'
import type { EndpointState } from './endpoint-state.ts'
import { rateOf, takesAbout } from './in-words.ts'

interface DisabledParts {
  endpoint: Endpoint
  state: EndpointState
  /** Whether the sender's people disabled it: then they enable it. */
  isBySender: boolean
  visit: PortalVisit
}

/** Why an endpoint is disabled, how much waits for it, and the way back. */
export function Disabled(parts: DisabledParts) {
  const { endpoint, state, isBySender, visit } = parts
  const { engine, reader, sender } = visit
  const { text, times } = reader
  const { disabledAt } = endpoint
  const { planned = 0, plannedMore = false } = state.waiting ?? {}
  return (
    <>
      <Note tone="bad" icon="off" title={titleOf(parts)}>
        <p>
          {whyOf(parts)} <b>{text(plannedMore ? 'portal.waiting_more' : 'portal.waiting', { n: planned })}</b>
        </p>
        {disabledAt === null ? null : (
          <p>{text('portal.collects', { time: times.whole(disabledAt + engine.maxAgeMs) })}</p>
        )}
        {isBySender ? <p>{text('portal.ask_sender', { sender })}</p> : null}
      </Note>
      {isBySender ? null : <Steps {...parts} />}
    </>
  )
}

function titleOf({ endpoint, isBySender, visit: { reader, sender } }: DisabledParts): string {
  const { text } = reader
  const { disabledReason, disabledAt, failingSince } = endpoint
  if (disabledReason === 'failing')
    return disabledAt === null || failingSince === null
      ? text('portal.disabled_failed')
      : text('portal.disabled_failing', { span: showSpan(disabledAt - failingSince, text) })
  if (disabledReason === 'gone' || disabledReason === 'receiver_requested')
    return text(`portal.disabled_${disabledReason}`)
  return isBySender ? text('portal.disabled_by_sender', { sender }) : text('portal.disabled_by_you')
}

function whyOf({ endpoint: { disabledReason, disabledAt, failingSince }, visit: { reader } }: DisabledParts): Child {
  const { text, times } = reader
  if (disabledAt === null) return ''
  return disabledReason === 'failing' && failingSince !== null
    ? text('portal.failed_between', { from: times.whole(failingSince), to: times.whole(disabledAt) })
    : text('portal.disabled_at', { time: times.whole(disabledAt) })
}

function Steps(parts: DisabledParts) {
  const { endpoint, visit } = parts
  const { reader, may } = visit
  const { text, link } = reader
  const isFailure = endpoint.disabledReason !== 'manual' && endpoint.disabledReason !== null
  return (
    <section class="panel" aria-labelledby="h-back">
      <div class="sec stack">
        <h2 id="h-back">{text('portal.back_in_steps')}</h2>
        <ol class="steps">
          {isFailure ? (
            <Step title={text('portal.step_answer')}>
              <p class="dim">{lastErrorOf(parts)}</p>
            </Step>
          ) : null}
          <Step title={text('endpoint.test')}>
            <p class="dim">{text('portal.step_test')}</p>
            {may('tests:send') ? (
              <a class="btn" href={link('endpoints', endpoint.id, 'test')}>
                <Icon name="test" />
                {text('endpoint.test')}
              </a>
            ) : null}
          </Step>
          <Step title={text('portal.step_enable')}>
            <Enable {...parts} />
          </Step>
        </ol>
      </div>
    </section>
  )
}

export function Step({ title, children }: { title: string; children: Child }) {
  return (
    <li>
      <div>
        <h3>{title}</h3>
        {children}
      </div>
    </li>
  )
}

function lastErrorOf({ endpoint: { disabledReason }, state: { trouble }, visit: { reader } }: DisabledParts): string {
  const { text } = reader
  if (disabledReason === 'receiver_requested') return text('portal.step_asked')
  const problem = trouble?.problem
  const {
    lastError: error,
    httpStatus,
    errorClass,
  } = problem ?? { lastError: null, httpStatus: null, errorClass: null }
  const found = explainError({ error, httpStatus, errorClass }, text, 'customer')
  if (found) return `${text('portal.last_error', { name: found.name })} ${found.why} ${found.fix}`
  return text('portal.step_2xx')
}

function Enable({ endpoint, state, visit: { reader, may } }: DisabledParts) {
  const { text, link } = reader
  const { planned = 0, plannedMore = false } = state.waiting ?? {}
  const rate = rateOf(endpoint, reader)
  const span = takesAbout(endpoint, { planned }, reader)
  return (
    <>
      <p class="dim">
        {text('portal.step_order')}{' '}
        {rate === undefined || span === undefined || planned === 0 ? '' : text('portal.step_takes', { rate, span })}
      </p>
      {may('endpoints:write') ? (
        <form method="post" action={link('endpoints', endpoint.id, 'enable')}>
          <FormToken reader={reader} />
          <button class="btn primary" type="submit">
            <Icon name="play" />
            {planned === 0 || plannedMore
              ? text(planned === 0 ? 'endpoint.enable' : 'portal.enable_and_send_all')
              : text('portal.enable_and_send', { n: planned })}
          </button>
        </form>
      ) : (
        <p>{text('portal.may_not_enable')}</p>
      )}
    </>
  )
}
