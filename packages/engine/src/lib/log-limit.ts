import type { Level, Logger } from './logger.ts'

const PERIOD_MS = 10_000
// Of one kind in a period; of one kind about one endpoint, so that the lines about others are seen beside it.
const MAX_LINES = 20
const MAX_ENDPOINT_LINES = 5
// What messages there are is fixed; this bounds memory should somebody make them up.
const MAX_KINDS = 200

/** Lines of one kind, which is one message at one level. */
interface Kind {
  level: Level
  message: string
  since: number
  lines: number
  /** Lines by endpoint: no more than there are lines. */
  ofEndpoint: Map<unknown, number>
  leftOut: number
}

/**
 * A logger that is given few lines: of each kind 20 in 10 s, and 5 about one endpoint (the field `endpointId`). A line at
 * the end of the period says how many were left out, or the next line of any kind, where a platform ends timers with the
 * request. A receiver that fails ten thousand times a minute fills no disk.
 */
export function limitLines(logger: Logger, monotonic: () => number): Logger {
  // The oldest period first.
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

  function leaveOut(kind: Kind): void {
    kind.leftOut++
    if (monotonic() >= timerUntil) sayIn(PERIOD_MS)
  }

  function sayIn(ms: number): void {
    timerUntil = monotonic() + ms
    const timer: unknown = setTimeout(() => {
      timerUntil = -Infinity
      endPeriods()
      const next = [...kinds.values()].find(({ leftOut }) => leftOut > 0)
      if (next) sayIn(Math.max(1, next.since + PERIOD_MS - monotonic()))
    }, ms)
    // Node's own; no process lives on for it.
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
        return leaveOut(kind)
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
