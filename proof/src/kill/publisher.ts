import { setTimeout as delay } from 'node:timers/promises'
import { newEventId } from '@keepsend/outbox'
import type { Random } from '../random.ts'
import { type Endpoint, type Keys, type Site, WORKSPACES, type Workspace } from './sites.ts'

/** The current URL to publish to. */
export interface Target {
  url: string
  keys: Keys
}

/** The requests of the clients, and their responses. Each event is requested once, whatever the response. */
export interface Published {
  /** The number of each requested event, and its workspace, by its id. */
  attempted: Map<string, { n: number; workspaceId: Workspace }>
  /** Ids of events with a 2xx. */
  acknowledged: Set<string>
}

export interface Publisher extends Published {
  stop(): Promise<void>
}

const PATIENCE_MS = 15_000

/** Clients that publish over HTTP, each one request after the other, to any current target. */
export function startPublisher(options: {
  targets: () => Target[]
  clients: number
  /** The longest pause of a client between two requests. */
  thinkMs: number
  random: Random
}): Publisher {
  const { targets, clients, thinkMs, random } = options
  const attempted: Published['attempted'] = new Map()
  const acknowledged = new Set<string>()
  const ended = new AbortController()

  async function publish({ url, keys }: Target): Promise<void> {
    const workspaceId = random.pick(WORKSPACES)
    // Some requests have several events, which are committed together or not at all.
    const events = Array.from({ length: random.next() < 0.1 ? random.whole(2, 5) : 1 }, () => {
      const id = newEventId()
      attempted.set(id, { n: attempted.size + 1, workspaceId })
      return { id, type: 'proof.step', data: { n: attempted.size } }
    })
    const response = await fetch(`${url}/webhooks/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys[workspaceId]}`, 'content-type': 'application/json' },
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
        // A request that fails is not acknowledged; a client knows no more.
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

/** Creates the endpoints, each with its path at the receiver; returns the secrets by path. */
export async function createEndpoints(
  { url, keys }: Target,
  receiver: string,
  sites: readonly Site[],
): Promise<{ endpoints: Endpoint[]; secrets: Record<string, string> }> {
  const endpoints: Endpoint[] = []
  const secrets: Record<string, string> = {}
  for (const site of sites) {
    const post = async (path: string, input: object): Promise<{ id: string; secret: string }> => {
      const response = await fetch(`${url}/webhooks/endpoints${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${keys[site.workspaceId]}`, 'content-type': 'application/json' },
        body: JSON.stringify(input),
      })
      if (!response.ok) throw new Error(`an endpoint was refused: ${response.status} ${await response.text()}`)
      return (await response.json()) as { id: string; secret: string }
    }
    const { id, secret } = await post('', { url: receiver + site.path })
    if (site.expires) await post(`/${id}/disable`, {})
    endpoints.push({ ...site, id })
    secrets[site.path] = secret
  }
  return { endpoints, secrets }
}
