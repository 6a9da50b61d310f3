import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { type PostgresServer, startPostgres } from '../../scripts/postgres-server.ts'
import { postgresCpuMs } from './postgres-cpu.ts'
import { type Appendfsync, type RedisServer, startRedis } from './redis.ts'

/** Where a contender stores its events. */
export type Store = 'none' | 'folder' | 'postgres' | `redis ${Appendfsync}`

/** An empty place of that kind; `release` removes it. */
export interface Place {
  at: string
  /** ms of CPU that its server has used so far: 0 without a server, undefined if it cannot be read. */
  cpuMs: () => Promise<number | undefined>
  /** Bytes of log that its server has written so far: 0 without a server. */
  logBytes: () => Promise<number>
  release(): Promise<void>
}

/** The servers of a run, each started when it is first needed, all with commits that wait for the disk. */
export class Stores {
  #postgres: Promise<PostgresServer> | undefined
  #redis = new Map<Appendfsync, Promise<RedisServer>>()
  #databases = 0
  readonly #folder = mkdtempSync(join(tmpdir(), 'keepsend-bench-'))

  constructor() {
    process.once('exit', () => rmSync(this.#folder, { recursive: true, force: true }))
  }

  async take(store: Store): Promise<Place> {
    switch (store) {
      case 'none':
        return { at: '', ...NO_SERVER, release: async () => {} }
      case 'folder': {
        const at = mkdtempSync(join(this.#folder, 'store-'))
        return { at, ...NO_SERVER, release: async () => rmSync(at, { recursive: true, force: true }) }
      }
      case 'postgres':
        return this.#database()
      case 'redis always':
      case 'redis everysec':
        return this.#keyspace(store === 'redis always' ? 'always' : 'everysec')
    }
  }

  async end(): Promise<void> {
    await (await this.#postgres)?.end()
    for (const server of this.#redis.values()) (await server).stop()
  }

  /**
   * A database of its own, on a server whose earlier writes have been checkpointed, so that no round pays for
   * another's.
   */
  async #database(): Promise<Place> {
    const { url } = await (this.#postgres ??= startUsedPostgres())
    const name = `bench_${++this.#databases}`
    await run(url, `create database ${name}`, 'checkpoint')
    const at = new URL(url)
    at.pathname = `/${name}`
    return {
      at: at.href,
      cpuMs: () => postgresCpuMs(url),
      logBytes: () => logBytes(url),
      release: () => run(url, `drop database ${name} with (force)`),
    }
  }

  async #keyspace(appendfsync: Appendfsync): Promise<Place> {
    const server = this.#redis.get(appendfsync) ?? startRedis(appendfsync)
    this.#redis.set(appendfsync, server)
    const { url } = await server
    const redis = new Redis(url)
    await redis.flushall()
    return {
      at: url,
      async cpuMs() {
        const info = await redis.info('cpu')
        const used = [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)]
        return used.reduce((sum, [, seconds]) => sum + Number(seconds) * 1000, 0)
      },
      logBytes: async () => 0,
      release: async () => redis.disconnect(),
    }
  }
}

const NO_SERVER = { cpuMs: async () => 0, logBytes: async () => 0 }

async function run(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

async function logBytes(url: string): Promise<number> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    const { rows } = await client.query<{ bytes: string }>(`select pg_current_wal_lsn() - '0/0' as bytes`)
    return Number(rows[0]?.bytes)
  } finally {
    await client.end()
  }
}

/**
 * A server whose log has been written before: it reuses the files, 1 GB of them. A new server makes each file, at the expense of
 * who writes most.
 */
async function startUsedPostgres(): Promise<PostgresServer> {
  const server = await startPostgres({ durable: true, settings: { min_wal_size: '1GB' } })
  const written = `select count(pg_logical_emit_message(false, 'bench', repeat('x', ${2 ** 20}))) from generate_series(1, 1024)`
  try {
    await run(server.url, written, 'checkpoint')
  } catch (error) {
    await server.end()
    throw error
  }
  return server
}
