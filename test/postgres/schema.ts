import pg from 'pg'
import { inject } from 'vitest'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A server for tests: see setup.ts. */
    postgresUrl: string
  }
}

/** A schema of one test's own, in the database that all tests share. */
export interface TestSchema {
  name: string
  /** Leads any driver into the schema. */
  url: string
  /** Removes it with all that is in it. Close the connections first. */
  drop(): Promise<void>
}

let schemas = 0

export async function createSchema(): Promise<TestSchema> {
  const base = inject('postgresUrl')
  const name = `keepsend_${process.pid}_${Date.now().toString(36)}_${++schemas}`
  await once(base, `create schema ${name}`)
  const url = new URL(base)
  url.searchParams.set('options', `-c search_path=${name}`)
  // URLSearchParams writes a space as a plus, which a connection string does not read as one.
  return { name, url: url.href.replaceAll('+', '%20'), drop: () => once(base, `drop schema ${name} cascade`) }
}

async function once(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query("set client_min_messages = 'warning'")
    await client.query(sql)
  } finally {
    await client.end()
  }
}
