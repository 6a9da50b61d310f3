import type { DeliveryState, Endpoint } from '@keepsend/engine'
import type { PlainKey } from '../language/text.ts'
import type { Reader, Reads } from '../reader/reader.ts'
import { Icon, type IconName } from './icon.tsx'

/** How the state of something is shown: a shape, a word and a tone. */
interface Shown {
  tone: string
  icon: IconName
  word: PlainKey
}

/** The state of a delivery in the words of the pages. */
export type DeliveryPhase = 'delivered' | 'sending' | 'pending' | 'failed' | 'held'

const PHASES: Record<DeliveryPhase, Shown> = {
  delivered: { tone: 'delivered', icon: 'delivered', word: 'state.delivered' },
  sending: { tone: 'sending', icon: 'sending', word: 'state.sending' },
  pending: { tone: 'pending', icon: 'pending', word: 'state.pending' },
  failed: { tone: 'failed', icon: 'failed', word: 'state.failed' },
  held: { tone: 'held', icon: 'held', word: 'state.held' },
}

const HOLDS: Record<NonNullable<DeliveryState['holdReason']>, PlainKey> = {
  circuit_open: 'hold.circuit_open',
  endpoint_disabled: 'hold.endpoint_disabled',
  endpoint_paused: 'hold.endpoint_paused',
  rate_limited: 'hold.rate_limited',
  replay: 'hold.replay',
}

export function phaseOf({ status, claimedAt }: DeliveryState): DeliveryPhase {
  if (status === 'completed') return 'delivered'
  if (status === 'pending') return claimedAt === null ? 'pending' : 'sending'
  return status
}

export function Status({ tone, icon, children }: { tone: string; icon: IconName; children: string }) {
  return (
    <span class={`status ${tone}`}>
      <Icon name={icon} />
      <span>{children}</span>
    </span>
  )
}

export function DeliveryStatus({
  delivery,
  reads = 'operator',
  reader: { text },
}: {
  delivery: DeliveryState
  reads?: Reads
  reader: Reader
}) {
  const phase = phaseOf(delivery)
  const { tone, icon, word } = PHASES[phase]
  // A customer sees no circuit, only that the delivery waits.
  const isOnHold = reads === 'customer' && phase === 'held' && delivery.holdReason === 'circuit_open'
  return (
    <Status tone={tone} icon={icon}>
      {text(isOnHold ? 'portal.on_hold' : word)}
    </Status>
  )
}

/** Why a delivery is held. */
export function holdOf({ status, holdReason }: DeliveryState, { text }: Reader): string | undefined {
  return status === 'held' && holdReason !== null ? text(HOLDS[holdReason]) : undefined
}

export function EndpointStatus({ endpoint, reader: { text } }: { endpoint: Endpoint; reader: Reader }) {
  const { status, circuit, pausedUntil, failingSince } = endpoint
  const shown: Shown =
    status === 'disabled'
      ? { tone: 'off', icon: 'off', word: 'endpoint.disabled' }
      : circuit === 'open'
        ? { tone: 'held', icon: 'circuit-open', word: 'endpoint.circuit_open' }
        : pausedUntil !== null
          ? { tone: 'held', icon: 'held', word: 'endpoint.paused' }
          : failingSince !== null
            ? { tone: 'warn', icon: 'problems', word: 'endpoint.failing' }
            : { tone: 'delivered', icon: 'on', word: 'endpoint.enabled' }
  return (
    <Status tone={shown.tone} icon={shown.icon}>
      {text(shown.word)}
    </Status>
  )
}
