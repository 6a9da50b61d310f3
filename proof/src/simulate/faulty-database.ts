import { type OutboxDatabase, OutboxError } from '@keepsend/outbox'
import type Database from 'better-sqlite3'
import { type Context, type Publication, context } from './context.ts'
import type { Choice } from './story.ts'
import type { Owner } from './virtual-time.ts'
import type { World } from './world.ts'

const FAULTS = ['database refuses', 'commit is ambiguous'] as const

/**
 * The port as one process sees it: each operation waits until the world runs it, and so does its result. It may be
 * refused before it begins, or take place without a result.
 *
 * @param liesOnceIn reports one operation in so many as done, and undoes it
 */
export class FaultyDatabase {
  readonly #world: World
  readonly #connection: Database.Database
  readonly #db: OutboxDatabase
  readonly #liesOnceIn: number | undefined
  #operations = 0

  constructor(world: World, connection: Database.Database, db: OutboxDatabase, liesOnceIn: number | undefined) {
    this.#world = world
    this.#connection = connection
    this.#db = db
    this.#liesOnceIn = liesOnceIn
  }

  /** @param safe its operations have no faults */
  portOf(owner: Owner & { name: string }, safe: boolean): OutboxDatabase {
    const ask = <T>(what: string, operation: () => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        const store = context.getStore()
        const answer = (label: string, run: (choice: Choice) => void): void =>
          this.#world.put({ label: `${owner.name}: ${label}`, owner, run })
        answer(what, (choice) => {
          const faults = safe ? [] : FAULTS.filter((fault) => this.#world.has(fault))
          const fate = choice.mostly('well', faults)
          if (fate === 'database refuses' || this.#mayRepeatAGen(store)) {
            answer('the database refuses', () => {
              if (store?.settling) store.isRefused = true
              reject(new OutboxError('not_accepted', 'the disk is full'))
            })
            return
          }
          void this.#operate(owner, store, operation).then(
            (result) => {
              if (fate === 'well') answer('the answer', () => resolve(result))
              else answer('no answer', () => reject(new OutboxError('commit_unconfirmed', 'the connection broke')))
            },
            (error: unknown) => answer('an error', () => reject(error)),
          )
        })
      })
    return {
      dialect: this.#db.dialect,
      run: (statement) => ask('a statement', () => this.#db.run(statement)),
      atomic: (statements) => ask(`a transaction of ${statements.length}`, () => this.#db.atomic(statements)),
    }
  }

  /** Takes place before this returns. */
  #operate<T>(
    by: Owner,
    { settling, isRefused, publishing }: Partial<Context> = {},
    operation: () => Promise<T>,
  ): Promise<T> {
    if (publishing) publishing.owed = this.#owed(publishing)
    const lies = this.#liesOnceIn !== undefined && ++this.#operations % this.#liesOnceIn === 0
    const done = lies ? this.#undone(operation) : operation()
    this.#world.ledger.observe({ by, settling, isRefused, publishing })
    return done
  }

  /** Whether Keepsend's assumption would be broken: see {@link Ledger.mayRepeatAGen}. */
  #mayRepeatAGen({ publishing }: Partial<Context> = {}): boolean {
    if (!publishing) return false
    const { ledger, time } = this.#world
    return this.#owed(publishing).some((id) => ledger.mayRepeatAGen(id, time.timeOfDay))
  }

  #owed({ eventIds, workspaceId }: Publication): string[] {
    const { maxAgeMs, time } = this.#world
    // A disabled endpoint collects for the maximum age of a delivery.
    const endpoints = this.#connection
      .prepare(
        `select id from keepsend_endpoints
        where workspace_id = ? and (status = 'enabled' or disabled_at > ?) order by id`,
      )
      .pluck()
      .all(workspaceId, time.timeOfDay - maxAgeMs) as string[]
    return eventIds.flatMap((id) => endpoints.map((endpoint) => `${id}.${endpoint}`))
  }

  /** The effect of a database that reports success before it commits, and then loses power. */
  #undone<T>(operation: () => Promise<T>): Promise<T> {
    const before = this.#connection.prepare('select * from pending_events').raw().all() as unknown[][]
    const done = operation()
    this.#connection.exec('delete from pending_events')
    for (const row of before) {
      this.#connection.prepare(`insert into pending_events values (${row.map(() => '?').join()})`).run(...row)
    }
    return done
  }
}
