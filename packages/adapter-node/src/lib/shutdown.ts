import { errorFields } from '@keepsend/engine/internal'

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Calls `stop` at the first SIGTERM or SIGINT, then exits with 0, or with 1 if `stop` failed. A second signal exits
 * immediately with 1. Returns a function that removes the handlers.
 */
export function onSignals(stop: () => Promise<void>): () => void {
  let stopping = false
  const handler = (): void => {
    if (stopping) process.exit(1)
    stopping = true
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error('keepsend: failed to stop cleanly; exiting with 1', errorFields(error))
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
