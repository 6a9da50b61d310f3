import type { DeliveryState } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { Icon } from '../parts/icon.tsx'
import { phaseOf } from '../parts/status.tsx'
import type { Reader } from '../reader/reader.ts'
import { explainError } from './errors.ts'

/** Why the last attempt of a delivery failed, the likely fix, and ways on; nothing where there is no error. */
export function ErrorNote({
  delivery,
  reads,
  reader: { text },
  children,
}: {
  delivery: DeliveryState
  /** Who reads the fix. */
  reads: 'operator' | 'customer'
  reader: Reader
  /** The ways on. */
  children?: Child
}) {
  const { lastError, lastStatus } = delivery
  const phase = phaseOf(delivery)
  const found = explainError({ error: lastError, httpStatus: lastStatus }, text, reads)
  if (!found || phase === 'delivered') return null
  const isFailed = phase === 'failed'
  return (
    <div class={isFailed ? 'note bad' : 'note warn'}>
      <Icon name={isFailed ? 'failed' : 'problems'} />
      <div>
        <h2>{found.name}</h2>
        <div class="two">
          <div>
            <p>{found.why}</p>
            <p>
              <b>{text('note.said')}</b> <span class="mono">{lastError}</span>
            </p>
          </div>
          <p>
            <b>{text('note.fix')}</b> {found.fix}{' '}
            <a class="link" href={found.docs}>
              {text('note.docs')}
            </a>
          </p>
        </div>
        {children === undefined ? null : <div class="row">{children}</div>}
      </div>
    </div>
  )
}
