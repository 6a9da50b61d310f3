import type { Endpoint } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { explainError } from '../../history/errors.ts'
import { Icon, type IconName } from '../../parts/icon.tsx'
import { type Reader, showUntil } from '../../reader/reader.ts'
import type { PortalVisit } from '../portal-visit.ts'
import type { EndpointState, Trouble } from './endpoint-state.ts'
import { rateOf, sinceWhen } from './in-words.ts'

interface NoteParts {
  endpoint: Endpoint
  state: EndpointState
  /** When the signing secret was last changed, if that was shortly before the trouble. */
  rotatedAt: number | undefined
  /** Whether some of the listed deliveries wait for the rate limit. */
  isRateLimited: boolean
  visit: PortalVisit
}

/** The trouble of an enabled endpoint in the words of its owner, and the likely fix; nothing for one that works. */
export function EndpointNote(parts: NoteParts) {
  const { endpoint, state, isRateLimited, visit } = parts
  const { reader } = visit
  const { text, times } = reader
  const { circuit, pausedUntil, rateLimit } = endpoint
  const waiting = state.waiting?.planned ?? 0
  const waits = waiting === 0 ? '' : text('portal.waiting', { n: waiting })
  if (circuit === 'open')
    return (
      <Note tone="bad" icon="problems" title={titleOf(parts)}>
        <p>
          {waits} {text('portal.open_then')}
        </p>
        <Fix {...parts} />
      </Note>
    )
  if (pausedUntil !== null && pausedUntil > reader.now)
    return (
      <Note
        tone="warn"
        icon="held"
        title={text('endpoint.is_paused', { span: showUntil(reader, pausedUntil), time: times.clock(pausedUntil) })}
      >
        <p>
          {waits} {text('endpoint.paused_then')}
        </p>
      </Note>
    )
  if (state.trouble && (endpoint.failingSince !== null || (state.failed?.planned ?? 0) > 0))
    return (
      <Note tone="bad" icon="problems" title={titleOf(parts)}>
        <Fix {...parts} />
      </Note>
    )
  if (isRateLimited && rateLimit !== null)
    return (
      <Note tone="warn" icon="held" title={text('portal.limited')}>
        <p>{text('portal.limited_then', { rate: rateOf(endpoint, reader) ?? '' })}</p>
      </Note>
    )
  return null
}

export function Note({
  tone,
  icon,
  title,
  children,
}: {
  tone: 'bad' | 'warn'
  icon: IconName
  title: Child
  children?: Child
}) {
  return (
    <div class={`note ${tone}`}>
      <Icon name={icon} />
      <div>
        <h2>{title}</h2>
        {children}
      </div>
    </div>
  )
}

function titleOf({ state: { trouble, failed }, visit: { reader } }: NoteParts): string {
  const { text } = reader
  if (!trouble) return text('endpoint.failing')
  const time = sinceWhen(trouble.since, reader)
  const n = failed?.planned ?? 0
  const status = trouble.isOnly ? trouble.problem?.httpStatus : undefined
  if (n === 0) return text('portal.failing_since', { error: nameOf(trouble, reader), time })
  if (failed?.plannedMore) return text('portal.failed_more_since', { n, time })
  return status && status >= 400 && status < 500
    ? text('portal.refused_since', { n, status: String(status), time })
    : text('portal.failed_since', { n, time })
}

function nameOf(trouble: Trouble, { text }: Reader): string {
  return explained(trouble, text)?.name ?? text('endpoint.failing')
}

function explained({ problem }: Trouble, text: Reader['text']) {
  if (!problem) return undefined
  const { lastError: error, httpStatus, errorClass } = problem
  return explainError({ error, httpStatus, errorClass }, text, 'customer')
}

function Fix({ endpoint, state: { trouble }, rotatedAt, visit: { reader } }: NoteParts) {
  const { text, link } = reader
  const found = trouble && explained(trouble, text)
  if (!found) return null
  return (
    <>
      <p>
        {text('portal.last_error', { name: found.name })} {found.why}
      </p>
      <p>
        <b>{text('note.fix')}</b>{' '}
        {rotatedAt === undefined
          ? found.fix
          : text.rich('portal.rotated', {
              time: sinceWhen(rotatedAt, reader),
              way: <a href={link('endpoints', endpoint.id, 'secret')}>{text('portal.rotated_way')}</a>,
            })}
      </p>
    </>
  )
}
