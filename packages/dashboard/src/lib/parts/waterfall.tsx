import type { Attempt } from '@keepsend/engine'
import type { PlainKey } from '../language/text.ts'
import { type Reader, showDuration } from '../reader/reader.ts'

/** The times of an attempt. */
type Timed = Pick<Attempt, 'queueUs' | 'dnsUs' | 'connectUs' | 'tlsUs' | 'firstByteUs' | 'totalUs'>

/** One phase of an attempt, in µs. */
interface Phase {
  tone: string
  name: PlainKey
  us: number
}

/** The phases of an attempt whose times are known, in their order. Where the runtime tells none, the whole is one phase. */
function phasesOf({ queueUs, dnsUs, connectUs, tlsUs, firstByteUs, totalUs }: Timed): Phase[] {
  const known = [queueUs, dnsUs, connectUs, tlsUs, firstByteUs].reduce<number>((sum, us) => sum + (us ?? 0), 0)
  const rest = totalUs === null ? 0 : Math.max(0, totalUs - known + (queueUs ?? 0))
  const phases: Phase[] = [
    { tone: 'p-wait', name: 'phase.wait', us: queueUs ?? 0 },
    { tone: 'p-dns', name: 'phase.dns', us: dnsUs ?? 0 },
    { tone: 'p-con', name: 'phase.connect', us: connectUs ?? 0 },
    { tone: 'p-tls', name: 'phase.tls', us: tlsUs ?? 0 },
    { tone: 'p-fb', name: 'phase.first_byte', us: firstByteUs ?? (known === 0 ? rest : 0) },
    { tone: 'p-body', name: 'phase.body', us: firstByteUs === null ? 0 : rest },
  ]
  return phases.filter(({ us }) => us > 0)
}

/** The phases in words: `look-up 7 ms, connect 24 ms`. */
export function sayPhases(attempt: Timed, reader: Reader): string {
  return phasesOf(attempt)
    .map(({ name, us }) =>
      reader.text('phase.took', { phase: reader.text(name), span: showDuration(reader, us / 1000) }),
    )
    .join(', ')
}

const WIDTH = 1000

/** @param scaleUs what the whole width stands for */
export function Waterfall({ attempt, scaleUs, reader }: { attempt: Timed; scaleUs: number; reader: Reader }) {
  let x = 0
  const bars = phasesOf(attempt).map(({ tone, us }) => {
    // Never thinner than can be seen.
    const width = Math.min(Math.max((us / scaleUs) * WIDTH, 3), WIDTH - x)
    const bar = <rect class={tone} x={round(x)} y={0} width={round(width)} height={12} />
    x += width
    return bar
  })
  return (
    <svg
      class="wf"
      viewBox={`0 0 ${WIDTH} 12`}
      preserveAspectRatio="none"
      role="img"
      aria-label={sayPhases(attempt, reader)}
    >
      {bars}
    </svg>
  )
}

const LEGEND: [tone: string, name: PlainKey][] = [
  ['p-wait', 'legend.wait'],
  ['p-dns', 'legend.dns'],
  ['p-con', 'legend.connect'],
  ['p-tls', 'legend.tls'],
  ['p-fb', 'legend.first_byte'],
  ['p-body', 'legend.body'],
]

export function WaterfallLegend({ reader: { text } }: { reader: Reader }) {
  return (
    <ul class="legend">
      {LEGEND.map(([tone, name]) => (
        <li>
          <span class={`sw ${tone}`} />
          {text(name)}
        </li>
      ))}
    </ul>
  )
}

/** The legend of one attempt: its phases, and how long each took. */
export function WaterfallPhases({ attempt, reader }: { attempt: Timed; reader: Reader }) {
  const { text } = reader
  const names = new Map(LEGEND)
  return (
    <ul class="legend">
      {phasesOf(attempt).map(({ tone, name, us }) => (
        <li>
          <span class={`sw ${tone}`} />
          {text('phase.took', { phase: text(names.get(tone) ?? name), span: showDuration(reader, us / 1000) })}
        </li>
      ))}
    </ul>
  )
}

/** The scale that a number of attempts share, in µs: the slowest, rounded up to 1, 1.5, 2, 3 or 5 times a power of ten. */
export function scaleOf(attempts: readonly Timed[]): number {
  const slowest = Math.max(1000, ...attempts.map(({ queueUs, totalUs }) => (queueUs ?? 0) + (totalUs ?? 0)))
  const power = 10 ** Math.floor(Math.log10(slowest))
  return power * ([1, 1.5, 2, 3, 5, 10].find((times) => slowest <= times * power) ?? 10)
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
