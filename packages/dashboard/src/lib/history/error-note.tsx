import type { DeliveryState } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { Icon } from '../parts/icon.tsx'
import { phaseOf } from '../parts/status.tsx'
import type { Reader, Reads } from '../reader/reader.ts'
import { explainError, shownText } from './errors.ts'

/** Why the last attempt of a delivery failed, the likely fix, and ways on; nothing where there is no error. */
export function ErrorNote({
  delivery,
  reads,
  reader: { text },
  children,
}: {
  delivery: DeliveryState
  /** Who reads the fix. */
  reads: Reads
  reader: Reader
  /** The ways on. */
  children?: Child
}) {
  const { lastError, lastStatus } = delivery
  const phase = phaseOf(delivery)
  const error = { error: lastError, httpStatus: lastStatus }
  const found = explainError(error, text, reads)
  if (!found || phase === 'delivered') return null
  const isFailed = phase === 'failed'
  const said = shownText(error, reads)
  return (
    <div class={isFailed ? 'note bad' : 'note warn'}>
      <Icon name={isFailed ? 'failed' : 'problems'} />
      <div>
        <h2>{found.name}</h2>
        <div class={reads === 'operator' ? 'two' : 'stack tight'}>
          <div>
            <p>{found.why}</p>
            {said === null ? null : (
              <p>
                <b>{text('note.said')}</b>{' '}
                <span class="mono" lang="en">
                  {said}
                </span>
              </p>
            )}
          </div>
          <p>
            <b>{text('note.fix')}</b> {found.fix}
            {reads === 'operator' ? (
              <>
                {' '}
                <a class="link" href={found.docs}>
                  {text('note.docs')}
                </a>
              </>
            ) : null}
          </p>
        </div>
        {children === undefined ? null : <div class="row">{children}</div>}
      </div>
    </div>
  )
}
