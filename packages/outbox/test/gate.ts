import type pg from 'pg'
import { expect, vi } from 'vitest'

export interface Gate {
  /** SQL that waits until the gate is open. */
  pass: string
  /** Resolves when this many transactions wait. */
  waiting(count: number): Promise<void>
  open(): Promise<void>
}

/** A point in a statement at which it waits for the test. Advisory locks belong to the database, which tests share. */
export async function closedGate(host: pg.Pool): Promise<Gate> {
  const key = Math.floor(Math.random() * 2 ** 31)
  const keeper = await host.connect()
  await keeper.query('select pg_advisory_lock($1)', [key])
  return {
    pass: `pg_advisory_xact_lock_shared(${key})`,
    async waiting(count) {
      const look = `select 1 from pg_locks where locktype = 'advisory' and objid = ${key} and not granted`
      const seen = async () => expect((await host.query(look)).rows).toHaveLength(count)
      await vi.waitFor(seen, { timeout: 10_000, interval: 10 })
    },
    async open() {
      await keeper.query('select pg_advisory_unlock($1)', [key])
      keeper.release()
    },
  }
}
