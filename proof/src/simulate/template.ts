import { createEngine, migrateEngine, silentLogger } from '@keepsend/engine'
import Database from 'better-sqlite3'
import { synchronously } from '../lib/virtual-clock.ts'

export const WORKSPACES = ['w', 'v'] as const

export type Workspace = (typeof WORKSPACES)[number]

/** When each story begins, by the wall clock. */
export const START_MS = 1_750_000_000_000

/** Waits between attempts, in seconds: three attempts, so that some stories exhaust them. */
export const RETRY_SCHEDULE = [1, 5]

export interface KnownEndpoint {
  id: string
  workspaceId: Workspace
}

/** The endpoints; filled by the first call of {@link template}. */
export const endpoints: KnownEndpoint[] = []

/** The endpoint that a URL belongs to. */
export function endpointOf(url: string): KnownEndpoint | undefined {
  return endpoints[Number(new URL(url).pathname.slice(1))]
}

let image: Promise<Buffer> | undefined

/**
 * A migrated database with two endpoints in each workspace that subscribe to everything: created once, and copied for
 * each story.
 */
export function template(): Promise<Buffer> {
  image ??= make()
  return image
}

async function make(): Promise<Buffer> {
  const connection = new Database(':memory:')
  const db = synchronously(connection)
  await migrateEngine(db)
  const engine = createEngine({
    db,
    queue: { send: async () => {} },
    secrets: 'plaintext-for-development',
    logger: silentLogger,
    retrySchedule: RETRY_SCHEDULE,
  })
  for (const workspaceId of WORKSPACES.flatMap((one) => [one, one])) {
    const url = `https://receiver.example.com/${endpoints.length}`
    const { endpoint } = await engine.endpoints.create(workspaceId, { url })
    endpoints.push({ id: endpoint.id, workspaceId })
  }
  connection.exec(`update keepsend_sweep_pass set began_at = ${START_MS}, expiry_ended_at = ${START_MS}`)
  const bytes = connection.serialize()
  connection.close()
  return bytes
}
