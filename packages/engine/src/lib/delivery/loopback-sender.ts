import type { Sender } from '../sender.ts'

/** The same sender, told with each request, of tokens too, that it may connect to the loopback interface. */
export function loopbackSender(sender: Sender): Sender {
  return {
    urlPolicy: sender.urlPolicy,
    supports: sender.supports,
    send: (request) => sender.send({ ...request, allowLoopback: true }),
  }
}
