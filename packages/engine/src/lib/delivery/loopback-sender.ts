import type { Sender } from '../sender.ts'

/** Wraps a sender: every request, also those for tokens, may connect to the loopback interface. */
export function loopbackSender(sender: Sender): Sender {
  return {
    urlPolicy: sender.urlPolicy,
    supports: sender.supports,
    send: (request) => sender.send({ ...request, allowLoopback: true }),
  }
}
