// The ceiling: the same signed POSTs by a bare `Pool.request` loop that stores nothing. Its events are in memory, or
// are made one at a time with the flavour `made as sent`.
import type { Open } from '../contender.ts'
import { newId, payloadOf } from '../event.ts'
import { createPoster } from '../post.ts'

interface Event {
  id: string
  body: string
}

export const open: Open = async ({ receiver, concurrency, flavour, payloadBytes: bytes }) => {
  const poster = createPoster(receiver, concurrency)
  const make = (index: number): Event => ({ id: newId(), body: payloadOf(index, { bytes }) })
  let eventAt: (index: number) => Event = make
  let count = 0
  let sent = 0
  let loops: Promise<unknown> = Promise.resolve()

  async function loop(): Promise<void> {
    while (sent < count) {
      const { id, body } = eventAt(sent++)
      await poster.post(id, body)
    }
  }

  return {
    async seed(events) {
      const held = flavour === 'made as sent' ? [] : Array.from({ length: events }, (_, index) => make(index))
      eventAt = (index) => held[index] ?? make(index)
      count = events
      sent = 0
    },
    async start() {
      loops = Promise.all(Array.from({ length: concurrency }, loop))
    },
    stop: () => loops.then(() => undefined),
    left: async () => count - sent,
    async publish(index) {
      const { id, body } = make(index)
      await poster.post(id, body)
      return id
    },
    close: () => poster.close(),
  }
}
