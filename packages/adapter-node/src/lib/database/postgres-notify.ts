import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@keepsend/engine'

// A commit that notifies takes a server-wide lock. So rows are announced after their commit, and a busy process announces
// many commits with one notification.
const ANNOUNCE_MS = 50
const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 5000

// One channel for each schema, because a database may have several installations.
const CHANNEL = "left('keepsend_' || current_schema, 63)"

/** The part of pg's `Client` that is used. */
export interface PostgresListener {
  connect(): Promise<unknown>
  query(text: string): Promise<{ rows: Record<string, unknown>[] }>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'notification', listener: (message: { payload?: string | undefined }) => void): unknown
  end(): Promise<void>
}

interface Queryable {
  query(text: string, values: unknown[]): Promise<unknown>
}

/**
 * Announces new rows to other processes by `NOTIFY`, and listens for theirs on a connection of its own, which is reopened
 * when it breaks. This only saves time: polling finds rows whose notification was missed.
 */
export class Announcer {
  readonly #newClient: () => PostgresListener
  readonly #pool: Queryable
  readonly #logger: Logger
  /** The payload of our notifications, by which we ignore them. */
  readonly #self = crypto.randomUUID()
  #version = 0
  #quiet: NodeJS.Timeout | undefined
  #again = false
  #notifying: Promise<void> = Promise.resolve()
  #listening: { end: AbortController; loop: Promise<void>; wanted: number } | undefined

  constructor(newClient: () => PostgresListener, pool: Queryable, logger: Logger) {
    this.#newClient = newClient
    this.#pool = pool
    this.#logger = logger
  }

  /** Increases with each notification of another process, and with each reconnection, which may have missed some. */
  get version(): number {
    return this.#version
  }

  announce(): void {
    if (this.#quiet) {
      this.#again = true
      return
    }
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined
      if (!this.#again) return
      this.#again = false
      this.announce()
    }, ANNOUNCE_MS)
    this.#notifying = this.#pool.query(`select pg_notify(${CHANNEL}, $1)`, [this.#self]).then(
      () => undefined,
      (error: Error) =>
        this.#logger.warn({ error: error.message }, 'failed to notify of new rows; other processes poll'),
    )
  }

  /** Listens until every caller has called the function that it got. */
  listen(): () => Promise<void> {
    if (!this.#listening) {
      const end = new AbortController()
      this.#listening = { end, loop: this.#listen(end.signal), wanted: 0 }
    }
    const listening = this.#listening
    listening.wanted++
    let isWanted = true
    return async () => {
      if (isWanted) listening.wanted--
      isWanted = false
      if (listening.wanted > 0) return
      listening.end.abort()
      if (this.#listening === listening) this.#listening = undefined
      await listening.loop
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#quiet)
    this.#listening?.end.abort()
    await this.#listening?.loop
    await this.#notifying
  }

  async #listen(end: AbortSignal): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS
    while (!end.aborted) {
      try {
        await this.#listenOnce(end, () => {
          backoffMs = FIRST_BACKOFF_MS
        })
      } catch (error) {
        if (end.aborted) return
        const { message } = error as Error
        this.#logger.warn({ error: message, backoffMs }, 'LISTEN connection lost; falling back to polling')
        await delay(backoffMs, undefined, { signal: end }).catch(() => undefined)
        backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2)
      }
    }
  }

  /** Listens on one connection until it breaks (rejects) or is no longer wanted (resolves). */
  async #listenOnce(end: AbortSignal, onConnected: () => void): Promise<void> {
    const client = this.#newClient()
    const broken = new Promise<never>((_, reject) => {
      client.on('error', reject)
      client.on('end', () => reject(new Error('the connection ended')))
    })
    const ended = new Promise<void>((resolve) => {
      if (end.aborted) resolve()
      end.addEventListener('abort', () => resolve(), { once: true })
    })
    client.on('notification', ({ payload }) => {
      if (payload !== this.#self) this.#version++
    })
    try {
      await Promise.race([client.connect(), broken])
      const { rows } = await client.query(`select format('listen %I', ${CHANNEL}) as sql`)
      await client.query(String(rows[0]?.['sql']))
      onConnected()
      // Notifications may have been missed before.
      this.#version++
      await Promise.race([broken, ended])
    } finally {
      broken.catch(() => undefined)
      await client.end().catch(() => undefined)
    }
  }
}
