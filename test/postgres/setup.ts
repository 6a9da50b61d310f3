// One Postgres for a whole run of the tests, whichever projects it has: the first that needs it starts it, and it ends
// with the run, or with the process if that is killed. DATABASE_URL names a server to use instead.
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { type PostgresServer, startPostgres } from '../../scripts/postgres-server.ts'

// Each project loads this module anew, and they share the process.
const shared = globalThis as { keepsendPostgres?: Promise<PostgresServer> | undefined }

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const schemas = `keepsend_${process.pid}_${Date.now().toString(36)}_`
  project.provide('postgresSchemas', schemas)
  const given = process.env['DATABASE_URL']
  if (given !== undefined && given !== '') {
    project.provide('postgresUrl', given)
    return () => dropAll(given, schemas)
  }
  // Autovacuum would analyze tables between the statements of tests, some of which assert plans.
  const server = await (shared.keepsendPostgres ??= startPostgres({ settings: { autovacuum: 'off' } }))
  project.provide('postgresUrl', server.url)
  return async () => {
    const running = shared.keepsendPostgres
    shared.keepsendPostgres = undefined
    await (await running)?.end()
  }
}

/** Removes the schemas that the workers of this run have lent to tests. */
async function dropAll(url: string, schemas: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query("set client_min_messages = 'warning'")
    const { rows } = await client.query<{ name: string }>(
      'select nspname as name from pg_namespace where starts_with(nspname, $1)',
      [schemas],
    )
    for (const { name } of rows) await client.query(`drop schema ${name} cascade`)
  } finally {
    await client.end()
  }
}
