import { errorFields } from '@keepsend/engine/internal'

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Calls `stop` at the first SIGTERM or SIGINT and ends the process when it has stopped: 0, or 1 if stopping failed.
 * A second signal ends it at once. Returns how to take the handlers away.
 */
export function onSignals(stop: () => Promise<void>): () => void {
  let stopping = false
  const handler = (): void => {
    if (stopping) process.exit(1)
    stopping = true
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error('keepsend: could not stop cleanly', errorFields(error))
        process.exit(1)
      },
    )
  }
  for (const signal of SIGNALS) process.on(signal, handler)
  return () => {
    if (stopping) return
    for (const signal of SIGNALS) process.off(signal, handler)
  }
}
