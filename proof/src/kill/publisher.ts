import { setTimeout as delay } from 'node:timers/promises'
import { newEventId } from '@keepsend/outbox'
import type { Random } from '../random.ts'

/** Where to publish, as of now. */
export interface Target {
  url: string
  key: string
}

/** What the clients asked for and what they were told. An event is asked for once, whatever becomes of it. */
export interface Published {
  /** The number of each event that was asked for, by its id. */
  attempted: Map<string, number>
  /** Ids of those that were answered with a 2xx. */
  acknowledged: Set<string>
}

export interface Publisher extends Published {
  stop(): Promise<void>
}

const PATIENCE_MS = 15_000

/** Clients that publish over HTTP, each one request after the other, to whichever target is there. */
export function startPublisher(options: {
  targets: () => Target[]
  clients: number
  /** The longest that a client thinks between two requests. */
  thinkMs: number
  random: Random
}): Publisher {
  const { targets, clients, thinkMs, random } = options
  const attempted = new Map<string, number>()
  const acknowledged = new Set<string>()
  const ended = new AbortController()

  async function publish({ url, key }: Target): Promise<void> {
    // Some requests bring several events, which are kept together or not at all.
    const events = Array.from({ length: random.next() < 0.1 ? random.whole(2, 5) : 1 }, () => {
      const id = newEventId()
      attempted.set(id, attempted.size + 1)
      return { id, type: 'proof.step', data: { n: attempted.size } }
    })
    const response = await fetch(`${url}/webhooks/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(events.length === 1 ? events[0] : events),
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    await response.body?.cancel()
    if (response.ok) for (const { id } of events) acknowledged.add(id)
  }

  async function client(): Promise<void> {
    while (!ended.signal.aborted) {
      const [first, ...others] = targets()
      if (first) {
        // What breaks is not acknowledged, which is all that a client knows.
        await publish(random.pick([first, ...others])).catch(() => undefined)
      }
      await delay(random.whole(first ? 0 : 5, thinkMs))
    }
  }

  const work = Promise.all(Array.from({ length: clients }, client))
  return {
    attempted,
    acknowledged,
    async stop() {
      ended.abort()
      await work
    },
  }
}

/** Makes the endpoints, each under its path at the receiver; their ids and secrets. */
export async function createEndpoints(
  { url, key }: Target,
  receiver: string,
  paths: readonly string[],
): Promise<{ ids: Map<string, string>; secrets: Record<string, string> }> {
  const ids = new Map<string, string>()
  const secrets: Record<string, string> = {}
  for (const path of paths) {
    const response = await fetch(`${url}/webhooks/endpoints`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ url: receiver + path }),
    })
    if (response.status !== 201) throw new Error(`an endpoint was refused: ${response.status} ${await response.text()}`)
    const { id, secret } = (await response.json()) as { id: string; secret: string }
    ids.set(path, id)
    secrets[path] = secret
  }
  return { ids, secrets }
}
