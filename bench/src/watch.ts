import { coresOf } from './cores.ts'
import type { Busy } from './limit.ts'
import type { Receiver } from './receiver.ts'
import type { Place } from './stores.ts'

export interface Watched {
  busy: Busy
  /** CPU of the place's server meanwhile. */
  serverMs: number | undefined
}

/**
 * Measures from here to the call of the result, which receives the duration of the work and the CPU that its senders
 * used.
 */
export async function watch(
  receiver: Receiver,
  place: Place,
): Promise<(took: { ms: number; cpuMs: number; senders: number }) => Promise<Watched>> {
  const [receiverBefore, serverBefore] = [await receiver.cpuMs(), await place.cpuMs()]
  return async ({ ms, cpuMs, senders }) => {
    const [receiverAfter, serverAfter] = [await receiver.cpuMs(), await place.cpuMs()]
    const serverMs = serverBefore === undefined || serverAfter === undefined ? undefined : serverAfter - serverBefore
    return {
      busy: {
        senders: cpuMs / ms / coresOf(senders),
        receiver: (receiverAfter - receiverBefore) / ms,
        server: serverMs === undefined ? undefined : serverMs / ms,
      },
      serverMs,
    }
  }
}
