import type { DeliveryWithAttempts, Endpoint } from '@keepsend/engine'
import { Icon } from '../../parts/icon.tsx'
import { phaseOf } from '../../parts/status.tsx'
import type { Reader } from '../../reader/reader.ts'

/** The next step of a delivery in the open, the rest in a menu. */
export function DeliveryActions({
  delivery,
  endpoint,
  eventId,
  curl,
  support,
  reader,
}: {
  delivery: DeliveryWithAttempts
  /** Undefined: it was deleted. */
  endpoint: Endpoint | undefined
  eventId: string
  /** The command, where it is short enough to be copied from here. */
  curl: string | undefined
  /** The text for somebody who helps. */
  support: string
  reader: Reader
}) {
  const { text, link, canAct, now } = reader
  const { id, workspaceId } = delivery
  const phase = phaseOf(delivery)
  const isSettled = phase === 'delivered' || phase === 'failed'
  // A disabled or paused endpoint takes nothing: the engine refuses to send.
  const isPaused = (endpoint?.pausedUntil ?? 0) > now
  const isTaking = isSettled ? endpoint !== undefined : endpoint?.status === 'enabled' && !isPaused
  return (
    <>
      <a class="btn" href={link('deliveries', id, { curl: 1 })} data-copy={curl}>
        <Icon name="term" />
        {text('delivery.curl')}
      </a>
      <details class="menu">
        <summary class="btn icon" aria-label={text('more')}>
          <Icon name="more" />
        </summary>
        <ul>
          <li>
            <a href={link('deliveries', { event: eventId, workspace: workspaceId })}>
              <Icon name="deliveries" />
              {text('delivery.of_event')}
            </a>
          </li>
          <li class="js">
            <button type="button" data-copy={support}>
              <Icon name="copy" />
              {text('delivery.for_support')}
            </button>
          </li>
          {canAct && !isSettled ? (
            <li>
              <a class="failed tone" href={link('deliveries', id, 'give-up')}>
                <Icon name="x" />
                {text('delivery.give_up')}…
              </a>
            </li>
          ) : null}
        </ul>
      </details>
      {canAct && isTaking ? <MainButton isSettled={isSettled} isHeld={phase === 'held'} reader={reader} /> : null}
    </>
  )
}

function MainButton({ isSettled, isHeld, reader: { text } }: { isSettled: boolean; isHeld: boolean; reader: Reader }) {
  return (
    <button class="btn primary" form="act" name="do" value={isSettled ? 'replay' : 'retry-now'} data-key="r">
      <Icon name={isSettled ? 'replay' : 'send'} />
      {text(isSettled ? 'delivery.replay' : isHeld ? 'delivery.send_now' : 'delivery.retry_now')}
    </button>
  )
}
