import type { Level, Logger } from './logger.ts'

const PERIOD_MS = 10_000
// Lines of one kind in a period. The second limit is for one endpoint, so that one noisy endpoint does not hide the others.
const MAX_LINES = 20
const MAX_ENDPOINT_LINES = 5
// Messages are fixed texts; this bounds the memory if a caller ever builds them from data.
const MAX_KINDS = 200

/** The lines of one kind in a period: one message at one level. */
interface Kind {
  level: Level
  message: string
  since: number
  lines: number
  /** Lines by endpoint: at most one entry for each line. */
  ofEndpoint: Map<unknown, number>
  leftOut: number
}

/**
 * Wraps a logger so that a receiver that fails ten thousand times a minute fills no disk: in 10 s at most 20 lines of each
 * kind pass, and at most 5 of them about one endpoint (the field `endpointId`). At the end of the period one line says how
 * many were left out. Where a platform ends timers with the request, the next line of any kind brings it.
 */
export function limitLines(logger: Logger, monotonic: () => number): Logger {
  // In insertion order: the oldest period first.
  const kinds = new Map<string, Kind>()
  let timerUntil = -Infinity

  function endPeriods(): void {
    const now = monotonic()
    for (const [name, { since, level, message, leftOut }] of kinds) {
      if (now - since < PERIOD_MS && kinds.size <= MAX_KINDS) return
      kinds.delete(name)
      if (leftOut > 0) logger[level]?.({ leftOut }, `… and ${leftOut} more in ${PERIOD_MS / 1000} s: ${message}`)
    }
  }

  function suppress(kind: Kind): void {
    kind.leftOut++
    if (monotonic() >= timerUntil) scheduleSummary(PERIOD_MS)
  }

  function scheduleSummary(ms: number): void {
    timerUntil = monotonic() + ms
    const timer: unknown = setTimeout(() => {
      timerUntil = -Infinity
      endPeriods()
      const next = [...kinds.values()].find(({ leftOut }) => leftOut > 0)
      if (next) scheduleSummary(Math.max(1, next.since + PERIOD_MS - monotonic()))
    }, ms)
    // `unref` lets the process end while the timer runs; only Node's timers have it.
    if (typeof timer === 'object' && timer && 'unref' in timer) (timer as { unref(): void }).unref()
  }

  function at(level: Level): Logger['info'] {
    return (fields, message) => {
      endPeriods()
      const name = `${level} ${message}`
      let kind = kinds.get(name)
      if (!kind) {
        kind = { level, message, since: monotonic(), lines: 0, ofEndpoint: new Map(), leftOut: 0 }
        kinds.set(name, kind)
      }
      const { endpointId } = fields
      const ofEndpoint = (kind.ofEndpoint.get(endpointId) ?? 0) + 1
      if (kind.lines === MAX_LINES || (endpointId !== undefined && ofEndpoint > MAX_ENDPOINT_LINES)) {
        return suppress(kind)
      }
      kind.lines++
      kind.ofEndpoint.set(endpointId, ofEndpoint)
      logger[level]?.(fields, message)
    }
  }

  return {
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    ...(typeof logger.debug === 'function' && { debug: at('debug') }),
  }
}
