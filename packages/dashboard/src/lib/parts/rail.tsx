import type { DeliveryState } from '@keepsend/engine'
import type { Reader } from '../reader/reader.ts'
import { phaseOf } from './status.tsx'

const STEP = 11
const WIDTH = 8

/** The attempts of a delivery, one mark each: cross failed, disc delivered, ring next, dot still to come, two bars held. */
export function Rail({ delivery, reader: { text } }: { delivery: DeliveryState; reader: Reader }) {
  const phase = phaseOf(delivery)
  const { attempts, maxAttempts } = delivery
  const failed = phase === 'delivered' ? attempts - 1 : phase === 'sending' ? Math.max(0, attempts - 1) : attempts
  const marks = Array.from({ length: Math.max(0, failed) }, (_, at) => <Cross x={at * STEP} />)
  const x = marks.length * STEP
  if (phase === 'delivered') marks.push(<circle class="ok" cx={x + 4} cy={5} r={3.5} />)
  if (phase === 'held') marks.push(<path class="hd" d={`M${x + 2} 1.5v7m4-7v7`} />)
  if (phase === 'pending' || phase === 'sending') marks.push(<circle class="nx" cx={x + 4} cy={5} r={2.9} />)
  // Of a delivery that has not failed yet, the attempts to come say nothing.
  const isRetried = failed > 0 && (phase === 'pending' || phase === 'sending')
  const toCome = isRetried ? maxAttempts - marks.length : 0
  for (let left = toCome; left > 0; left--) marks.push(<circle class="td" cx={marks.length * STEP + 4} cy={5} r={1} />)
  const width = Math.max(1, marks.length) * STEP - (STEP - WIDTH)
  return (
    <svg
      class="rail"
      viewBox={`0 0 ${width} 10`}
      width={width}
      role="img"
      aria-label={text('rail.made', { made: attempts, most: maxAttempts })}
    >
      {marks}
    </svg>
  )
}

function Cross({ x }: { x: number }) {
  return <path class="ko" d={`M${x + 1.5} 2.5l5 5m0-5l-5 5`} />
}
