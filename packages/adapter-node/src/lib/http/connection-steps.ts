import type { Socket } from 'node:net'
import type { SendTiming } from '@keepsend/engine'

/** The steps of making a connection, in ms. */
type ConnectionSteps = Pick<SendTiming, 'dnsMs' | 'tlsMs'>

const stepsOf = new WeakMap<Socket, ConnectionSteps>()

/** Notes how long a step of making this connection took. */
export function noteSteps(socket: Socket, steps: ConnectionSteps): void {
  stepsOf.set(socket, { ...stepsOf.get(socket), ...steps })
}

/** Adds the steps of a connection to the times of its first exchange. Later ones found it open. */
export function addSteps(socket: Socket, timing: SendTiming): void {
  Object.assign(timing, stepsOf.get(socket))
  stepsOf.delete(socket)
}
