// The Postgres that the story is played on: DATABASE_URL's, in a schema that is dropped at the end, or a server of its own.
import pg from 'pg'
import { startPostgres } from '../../../scripts/postgres-server.ts'
import { pause } from './http.ts'
import type { Outage } from './stage.ts'

export interface StoryPostgres {
  url: string
  /** In words. */
  place: string
  outage: Outage & {
    /** What every process says that has noticed it, and how often it should have. */
    sign: { message: string; times: number }
  }
  /** Nothing of it is left. */
  end: () => Promise<void>
}

export function openStoryPostgres(): Promise<StoryPostgres> {
  const given = process.env['DATABASE_URL'] ?? ''
  return given === '' ? ownServer() : givenServer(given)
}

/** Started now, restarted in the middle, gone at the end: its keeper sees to that even if this process is killed. */
async function ownServer(): Promise<StoryPostgres> {
  const server = await startPostgres()
  return {
    url: server.url,
    place: await placeOf(server.url),
    outage: {
      what: 'Postgres is restarted',
      // What a poller says that could not settle or claim. So often that its growing waits can be seen.
      sign: { message: 'database error; retrying', times: 4 },
      begin: () => server.stop(),
      end: () => server.start(),
    },
    end: () => server.end(),
  }
}

// Longer than it takes to connect, so that most of the new ones are used for something.
const ROUND_MS = 100

/** Somebody's, so it is not ours to restart: every connection that the story has to it is ended, again and again. */
async function givenServer(given: string): Promise<StoryPostgres> {
  const name = `keepsend_demo_${process.pid}_${Date.now().toString(36)}`
  await once(given, `create schema ${name}`)
  const settings = `options=${encodeURIComponent(`-c search_path=${name}`)}&application_name=${name}`
  let ending: Promise<void> | undefined
  let over = new AbortController()
  const endConnections = async ({ signal }: AbortController): Promise<void> => {
    while (!signal.aborted) {
      await once(given, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = '${name}'`)
      await pause(ROUND_MS)
    }
  }
  const endOutage = async (): Promise<void> => {
    over.abort()
    await ending
  }
  return {
    url: `${given}${given.includes('?') ? '&' : '?'}${settings}`,
    place: await placeOf(given),
    outage: {
      what: 'Postgres ends every connection, again and again',
      // Of the connection that is open whatever a process does.
      sign: { message: 'LISTEN connection lost; falling back to polling', times: 4 },
      async begin() {
        over = new AbortController()
        ending = endConnections(over)
        // Whoever waits for the outage's end hears of it.
        ending.catch(() => {})
      },
      end: endOutage,
    },
    async end() {
      await endOutage()
      await once(given, `drop schema ${name} cascade`)
    },
  }
}

async function placeOf(url: string): Promise<string> {
  const [row] = await once(
    url,
    "select current_setting('server_version') as version, current_setting('fsync') as fsync",
  )
  return `Postgres ${String(row?.['version'])}, fsync ${String(row?.['fsync'])}`
}

async function once(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query("set client_min_messages = 'warning'; set lock_timeout = '10s'")
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}
