// The Postgres of the story: that of DATABASE_URL, in a schema that is dropped at the end, or a server of its own.
import pg from 'pg'
import { startPostgres } from '../../../scripts/postgres-server.ts'
import { pause } from './http.ts'
import type { Outage } from './stage.ts'

export interface StoryPostgres {
  url: string
  /** Its description. */
  place: string
  outage: Outage & {
    /** The log line by which every process shows that it noticed, and how often it should appear. */
    sign: { message: string; times: number }
  }
  /** Removes all that the story created. */
  end: () => Promise<void>
}

export function openStoryPostgres(): Promise<StoryPostgres> {
  const given = process.env['DATABASE_URL'] ?? ''
  return given === '' ? ownServer() : givenServer(given)
}

/** A server that is started now, restarted during the story and removed at the end, even if this process is killed. */
async function ownServer(): Promise<StoryPostgres> {
  const server = await startPostgres()
  return {
    url: server.url,
    place: await placeOf(server.url),
    outage: {
      what: 'Postgres is restarted',
      // The poller's line when it cannot settle or claim; several times, so that its growing back-off shows.
      sign: { message: 'database error; retrying', times: 4 },
      begin: () => server.stop(),
      end: () => server.start(),
    },
    end: () => server.end(),
  }
}

// Longer than a connection takes, so that most new ones are used.
const ROUND_MS = 100

/** A server that we must not restart: every connection of the story is terminated, repeatedly. */
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
      // From the LISTEN connection, which every process has open.
      sign: { message: 'LISTEN connection lost; falling back to polling', times: 4 },
      async begin() {
        over = new AbortController()
        ending = endConnections(over)
        // Reported to the caller that waits for the end of the outage.
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
