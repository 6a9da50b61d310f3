// The traffic of `pnpm dev`: each customer's users go on making changes until it is stopped.
import { pause } from '../http.ts'
import type { App } from '../installation.ts'
import { type LoadOptions, load } from '../load.ts'
import { type Step, tour } from '../tour.ts'
import type { Customer } from './cast.ts'

export interface LiveOptions {
  app: App
  cast: readonly Customer[]
  /** API keys, by workspace. */
  keys: ReadonlyMap<string, string>
  /** The pause of each customer after each change, in ms. */
  everyMs: number
}

export interface Live {
  /** Ends the traffic after the changes in flight. */
  stop(): Promise<void>
  /** Rejects when a change is refused. */
  failed: Promise<never>
}

// Every route of a workspace. Those of the operator would leave an API key of a deleted workspace behind each time.
const DAY: readonly Step[] = tour.filter(({ by }) => by !== 'operator')

// More than the archive takes in a minute, and less than it takes until the next.
const IMPORTED = 50
const IMPORT_EVERY_MS = 300_000
const IMPORT: readonly Step[] = [
  { route: 'POST /channels', type: 'channel.created', body: () => ({ name: 'import', topic: '' }), makes: 'channel' },
  ...Array.from({ length: IMPORTED }, (_, n) => ({
    route: 'POST /channels/:id/files',
    type: 'file.added',
    id: 'channel',
    body: () => ({ name: `scan-${n + 1}.pdf`, bytes: 20_000 + n }),
  })),
  { route: 'DELETE /channels/:id', type: 'channel.deleted', id: 'channel' },
]

export function startTraffic({ app, cast, keys, everyMs }: LiveOptions): Live {
  const ending = new AbortController()
  const { signal } = ending
  const make = (workspaceId: string, how: Pick<LoadOptions, 'steps' | 'tours' | 'everyMs'>): Promise<void> =>
    load({
      ...how,
      apps: [app],
      keys: { operator: '', workspace: keys.get(workspaceId) ?? '' },
      clients: 1,
      signal,
      onAcknowledged: () => {},
    })
  const days = cast.map(({ id }) => make(id, { steps: DAY, tours: Infinity, everyMs }))
  const imports = async (): Promise<void> => {
    for (;;) {
      await pause(IMPORT_EVERY_MS, signal)
      if (signal.aborted) return
      await make('bluebird', { steps: IMPORT, tours: 1, everyMs: 50 })
    }
  }
  const all = Promise.all([...days, imports()])
  return {
    failed: new Promise<never>((_, reject) => void all.catch(reject)),
    async stop() {
      ending.abort()
      await all.catch(() => {})
    },
  }
}
