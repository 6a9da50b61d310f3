import { copyFileSync, existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import pg from 'pg'

/** The database of a round, as the parent reads it from outside. */
export interface Store {
  /** How the app connects to it. */
  app: { file: string } | { postgres: string }
  /** Claims in flight: `<delivery id> <gen>`. `alive`: some app has the database open. */
  inFlight(alive: boolean): Promise<string[]>
  /** Deliveries that are pending or held. */
  unsettled(): Promise<number>
  /** Deliveries that failed. */
  failed(): Promise<Failed[]>
  /** What the history recorded of each delivery. */
  recorded(): Promise<Recorded[]>
  /**
   * Adds two hours to the age of this endpoint's held rows, and to the time since the last pass over every key. Only
   * while an app has the database open.
   */
  age(endpointId: string): Promise<void>
  /** Defects of the database itself, at the end: in its files, and migrations that were not applied exactly once. */
  faults(migrations: readonly string[]): Promise<string[]>
  /** Kills the server and restarts it, if there is one. */
  killServer?: () => Promise<void>
  end(): Promise<void>
}

export interface Failed {
  id: string
  error: string
  /** Its age when it failed. */
  ageMs: number
}

/** The attempts of one delivery, as the history has them, without those of workers that had lost their lease. */
export interface Recorded {
  id: string
  /** Attempts that delivered it. */
  delivered: number
  /** Attempts that the receiver answered. */
  answered: number
}

const RECORDED = `select delivery_id as id, count(case when outcome = 'delivered' then 1 end) as delivered,
  count(http_status) as answered from keepsend_attempts where outcome <> 'superseded' group by delivery_id`

const FAILED = `select id, last_error as error, completed_at - coalesce(replayed_at, created_at) as "ageMs"
  from pending_events where status = 'failed'`

function aging(endpointId: string): string[] {
  return [
    `update pending_events set replayed_at = created_at - 7200000
      where status = 'held' and endpoint_id = '${endpointId}' and replayed_at is null`,
    'update keepsend_sweep_pass set expiry_ended_at = 0',
  ]
}

const CLAIMS = `select id || ' ' || gen as claim from pending_events where status = 'pending' and claimed_at is not null`
const UNSETTLED = `select count(*) as count from pending_events where status in ('pending', 'held')`

export function sqliteStore(folder: string): Store {
  const file = join(folder, 'app.db')
  return {
    app: { file },
    async inFlight(alive) {
      // Killed before it created one.
      if (!existsSync(file)) return []
      return readClaims(alive ? file : copyOf(file, folder), CLAIMS)
    },
    unsettled: async () => countUnsettled(file),
    failed: async () => readRows<Failed>(file, FAILED),
    recorded: async () => readRows<Recorded>(file, RECORDED),
    async age(endpointId) {
      const db = new Database(file)
      try {
        for (const sql of aging(endpointId)) db.exec(sql)
      } finally {
        db.close()
      }
    },
    async faults(migrations) {
      const db = new Database(file)
      try {
        const check = String(db.pragma('integrity_check', { simple: true }))
        const counts = migrations.map((name) => ({
          name,
          rows: db.prepare(`select count(*) from ${name}`).pluck().get() as number,
        }))
        return [
          ...(check === 'ok' ? [] : [`integrity_check: ${check}`]),
          ...counts.flatMap(({ name, rows }) => (rows === 1 ? [] : [`migration ${name} ran ${rows} times`])),
        ]
      } finally {
        db.close()
      }
    },
    end: async () => {},
  }
}

export async function postgresStore(
  server: { url: string; crash(): Promise<void>; start(): Promise<void> },
  database: string,
): Promise<Store> {
  const admin = new pg.Client({ connectionString: server.url })
  await admin.connect()
  await admin.query(`create database ${database}`)
  await admin.end()
  const url = server.url.replace(/\/postgres$/, `/${database}`)
  const ask = async <Row>(sql: string): Promise<Row[]> => {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => undefined)
    await client.connect()
    try {
      return (await client.query(sql)).rows as Row[]
    } finally {
      await client.end()
    }
  }
  return {
    app: { postgres: url },
    async inFlight() {
      const [there] = await ask<{ table: string | null }>(`select to_regclass('pending_events') as table`)
      return there?.table ? (await ask<{ claim: string }>(CLAIMS)).map(({ claim }) => claim) : []
    },
    unsettled: async () => Number((await ask<{ count: string }>(UNSETTLED))[0]?.count),
    failed: async () =>
      (await ask<Omit<Failed, 'ageMs'> & { ageMs: string }>(FAILED)).map((row) => ({
        ...row,
        ageMs: Number(row.ageMs),
      })),
    recorded: async () =>
      (await ask<Record<keyof Recorded, string>>(RECORDED)).map(({ id, delivered, answered }) => ({
        id,
        delivered: Number(delivered),
        answered: Number(answered),
      })),
    async age(endpointId) {
      for (const sql of aging(endpointId)) await ask(sql)
    },
    async faults(migrations) {
      const faults: string[] = []
      for (const name of migrations) {
        const [{ count } = { count: '0' }] = await ask<{ count: string }>(`select count(*) from ${name}`)
        if (Number(count) !== 1) faults.push(`migration ${name} ran ${count} times`)
      }
      return faults
    },
    async killServer() {
      await server.crash()
      await server.start()
    },
    async end() {
      const client = new pg.Client({ connectionString: server.url })
      await client.connect()
      await client.query(`drop database ${database} with (force)`)
      await client.end()
    },
  }
}

/**
 * A D1 of `wrangler dev`, in the folder that it persists to. A message's row has no claim, so pending rows count as in
 * flight.
 */
export function d1Store(folder: string): Pick<Store, 'inFlight' | 'unsettled' | 'failed' | 'recorded'> {
  const file = (): string => {
    const [found] = globSync(join(folder, 'v3/d1/*/*.sqlite')).filter((one) => !one.endsWith('metadata.sqlite'))
    if (found === undefined) throw new Error('wrangler dev has created no D1')
    return found
  }
  return {
    inFlight: async () =>
      readClaims(
        copyOf(file(), folder),
        `select id || ' ' || gen as claim from pending_events where status = 'pending'`,
      ),
    unsettled: async () => countUnsettled(file()),
    failed: async () => readRows<Failed>(file(), FAILED),
    recorded: async () => readRows<Recorded>(file(), RECORDED),
  }
}

/** A copy of a killed process' files. Opening the files themselves would recover them, and that is the app's work. */
function copyOf(file: string, folder: string): string {
  const copy = join(folder, 'copy.db')
  copyFileSync(file, copy)
  if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`)
  return copy
}

function readClaims(file: string, sql: string): string[] {
  const db = new Database(file)
  try {
    const there = db.prepare(`select 1 from sqlite_master where name = 'pending_events'`).get()
    return there ? (db.prepare(sql).pluck().all() as string[]) : []
  } finally {
    db.close()
  }
}

function readRows<Row>(file: string, sql: string): Row[] {
  const db = new Database(file, { readonly: true })
  try {
    return db.prepare(sql).all() as Row[]
  } finally {
    db.close()
  }
}

function countUnsettled(file: string): number {
  const db = new Database(file, { readonly: true })
  try {
    return db.prepare(UNSETTLED).pluck().get() as number
  } finally {
    db.close()
  }
}
