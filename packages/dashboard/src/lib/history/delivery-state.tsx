import { type DeliveryWithAttempts, ERROR_CLASSES, HTTP_EXPLANATIONS, classOf } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { Icon } from '../parts/icon.tsx'
import { Moment } from '../parts/moment.tsx'
import { holdOf, phaseOf } from '../parts/status.tsx'
import { type Reader, showUntil } from '../reader/reader.ts'

export function DeliveryButtons({ delivery, reader }: { delivery: DeliveryWithAttempts; reader: Reader }) {
  const { text, link } = reader
  const phase = phaseOf(delivery)
  const isSettled = phase === 'delivered' || phase === 'failed'
  return isSettled ? (
    <button class="btn primary" form="act" name="do" value="replay" data-key="r">
      <Icon name="replay" />
      {text('delivery.replay')}
    </button>
  ) : (
    <>
      <a class="btn danger" href={link('deliveries', delivery.id, 'give-up')}>
        {text('delivery.give_up')}…
      </a>
      <button class="btn primary" form="act" name="do" value="retry-now" data-key="r">
        <Icon name="send" />
        {text(phase === 'held' ? 'delivery.send_now' : 'delivery.retry_now')}
      </button>
    </>
  )
}

/** What happens next, beside the state. */
export function nextInWords(delivery: DeliveryWithAttempts, reader: Reader): Child {
  const { text } = reader
  const phase = phaseOf(delivery)
  if (phase === 'held') return holdOf(delivery, reader) ?? ''
  if (phase === 'failed') return text('delivery.no_further')
  if (phase === 'pending' && delivery.dueAt !== null) {
    return delivery.dueAt <= reader.now
      ? text('next.due')
      : text.rich('delivery.next', {
          span: (
            <Moment at={delivery.dueAt} reader={reader}>
              {showUntil(reader, delivery.dueAt)}
            </Moment>
          ),
          time: reader.times.clock(delivery.dueAt),
        })
  }
  return ''
}

/** Why the last attempt failed, and the likely fix, from the one table of error classes. */
export function ErrorNote({ delivery, reader: { text } }: { delivery: DeliveryWithAttempts; reader: Reader }) {
  const { lastError, lastStatus } = delivery
  const errorClass = classOf(lastError, lastStatus)
  if (errorClass === null || phaseOf(delivery) === 'delivered') return null
  const { happened, fix } =
    (errorClass.startsWith('http_') && HTTP_EXPLANATIONS[lastStatus ?? 0]) || ERROR_CLASSES[errorClass]
  const isFailed = phaseOf(delivery) === 'failed'
  return (
    <div class={isFailed ? 'note bad' : 'note warn'}>
      <Icon name={isFailed ? 'failed' : 'problems'} />
      <div>
        <h2>{happened}</h2>
        <div class="two">
          <p>
            <b>{text('note.said')}</b> <span class="mono">{lastError}</span>
          </p>
          <p>
            <b>{text('note.fix')}</b> {fix}
          </p>
        </div>
      </div>
    </div>
  )
}
