import { type Endpoint, type Engine, allWorkspaces } from '@keepsend/engine'
import type { Customer } from './cast.ts'

/** An action of somebody during the day. */
export interface Scene {
  minutesAgo: number
  play(): Promise<unknown>
}

export interface ScenesOptions {
  cast: readonly Customer[]
  /** By hook. */
  endpoints: ReadonlyMap<string, Endpoint>
  /** When the day began, ms since the epoch. */
  startsAt: number
}

const HOUR_MS = 3_600_000
// So late that the job still runs when the pages open.
const LAST = 2

export function scenesOf(engine: Engine, { cast, endpoints, startsAt }: ScenesOptions): readonly Scene[] {
  const idOf = (hook: string): string => {
    const endpoint = endpoints.get(hook)
    if (!endpoint) throw new Error(`the cast has no endpoint ${hook}`)
    return endpoint.id
  }
  const rotations = cast.flatMap(({ id: workspaceId, endpoints: own }) =>
    own.flatMap(({ hook, rotatedHoursAgo }): Scene[] =>
      rotatedHoursAgo === undefined
        ? []
        : [
            {
              minutesAgo: rotatedHoursAgo * 60,
              // Without an overlap, in which the old secret would sign too.
              play: () => engine.endpoints.rotateSecret(workspaceId, idOf(hook), { overlapMs: 0, by: 'sam' }),
            },
          ],
    ),
  )
  return [
    ...rotations,
    {
      // The warehouse has been mended.
      minutesAgo: 9 * 60,
      play: () =>
        engine.replays.create('juniper', { what: 'failed', endpointId: idOf('juniper-warehouse') }, { by: 'dana' }),
    },
    {
      minutesAgo: 4 * 60,
      async play() {
        const { rows } = await engine.problems.list(allWorkspaces, { limit: 20 })
        const found = rows.find(({ endpointId }) => endpointId === idOf('lumen-records'))
        if (found) await engine.problems.acknowledge(found.workspaceId, found.id, { by: 'sam' })
      },
    },
    {
      // The front desk asked for all of yesterday once more, slowly.
      minutesAgo: LAST,
      play: () =>
        engine.replays.create(
          'lumen-clinic',
          {
            what: 'delivered',
            endpointId: idOf('lumen-front-desk'),
            since: startsAt,
            until: startsAt + 20 * HOUR_MS,
            rate: 1,
          },
          { by: 'dana' },
        ),
    },
  ]
}
