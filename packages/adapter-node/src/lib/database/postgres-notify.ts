import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@keepsend/engine'

// A commit that notifies takes a lock of the whole server, so rows are not announced in their own commit, but after
// it, and a busy process speaks for many of its commits at once.
const ANNOUNCE_MS = 50
const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 5000

// Of the schema: databases often hold several installations.
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

/** What it announces by. */
interface Announcing {
  query(text: string, values: unknown[]): Promise<unknown>
}

/**
 * Processes tell one another of new rows by `NOTIFY`, and hear it on one connection of their own, opened again whenever
 * it breaks. It only saves time: what is missed, polling finds.
 */
export class Announcer {
  readonly #newClient: () => PostgresListener
  readonly #pool: Announcing
  readonly #logger: Logger
  /** What this process says of itself, so that it does not hear itself. */
  readonly #self = crypto.randomUUID()
  #heard = 0
  #quiet: NodeJS.Timeout | undefined
  #again = false
  #saying: Promise<void> = Promise.resolve()
  #listening: { end: AbortController; loop: Promise<void>; wanted: number } | undefined

  constructor(newClient: () => PostgresListener, pool: Announcing, logger: Logger) {
    this.#newClient = newClient
    this.#pool = pool
    this.#logger = logger
  }

  /** Grows with each announcement of another process, and with each reconnection, which may have missed some. */
  get heard(): number {
    return this.#heard
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
    this.#saying = this.#pool.query(`select pg_notify(${CHANNEL}, $1)`, [this.#self]).then(
      () => undefined,
      // Whoever would have heard it polls.
      (error: Error) => this.#logger.warn({ error: error.message }, 'new rows could not be announced'),
    )
  }

  /** Listens until each of those who asked for it has called the function that was returned to it. */
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
    await this.#saying
  }

  async #listen(end: AbortSignal): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS
    while (!end.aborted) {
      try {
        await this.#hear(end, () => {
          backoffMs = FIRST_BACKOFF_MS
        })
      } catch (error) {
        if (end.aborted) return
        const { message } = error as Error
        this.#logger.warn({ error: message, backoffMs }, 'cannot hear of other commits; polling goes on')
        await delay(backoffMs, undefined, { signal: end }).catch(() => undefined)
        backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2)
      }
    }
  }

  /** One connection, from its beginning until it breaks (rejects) or is no longer wanted (resolves). */
  async #hear(end: AbortSignal, onConnected: () => void): Promise<void> {
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
      if (payload !== this.#self) this.#heard++
    })
    try {
      await Promise.race([client.connect(), broken])
      const { rows } = await client.query(`select format('listen %I', ${CHANNEL}) as sql`)
      await client.query(String(rows[0]?.['sql']))
      onConnected()
      // What was said while nobody listened.
      this.#heard++
      await Promise.race([broken, ended])
    } finally {
      broken.catch(() => undefined)
      await client.end().catch(() => undefined)
    }
  }
}
