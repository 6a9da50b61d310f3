// One Postgres for a whole run of the tests, whichever projects it has: the first that needs it starts it, and it ends
// with the run, or with the process if that is killed. DATABASE_URL names a server to use instead.
import type { TestProject } from 'vitest/node'
import { type PostgresServer, startPostgres } from '../../scripts/postgres-server.ts'

// Each project loads this module anew, and they share the process.
const shared = globalThis as { keepsendPostgres?: Promise<PostgresServer> | undefined }

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env['DATABASE_URL']
  if (given !== undefined && given !== '') {
    project.provide('postgresUrl', given)
    return undefined
  }
  const server = await (shared.keepsendPostgres ??= startPostgres())
  project.provide('postgresUrl', server.url)
  return async () => {
    const running = shared.keepsendPostgres
    shared.keepsendPostgres = undefined
    await (await running)?.end()
  }
}
