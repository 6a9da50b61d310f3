import type Database from 'better-sqlite3'
import { type Unit, reached, unitsOf } from './strike.ts'

type Prepare = (this: Database.Database, sql: string) => Database.Statement

/** Reports every commit of every better-sqlite3 connection, directly before and after it. */
export function watchSqlite(driver: typeof Database): void {
  const prototype = driver.prototype as { prepare: Prepare }
  const prepare = prototype.prepare
  const units = new WeakMap<Database.Database, Set<Unit>>()
  prototype.prepare = function watched(sql) {
    const statement = prepare.call(this, sql)
    const named = unitsOf(sql)
    const open = units.get(this) ?? new Set()
    units.set(this, open)
    if (sql === 'commit') {
      const run = statement.run.bind(statement)
      statement.run = (...params: unknown[]) => {
        const done = [...open]
        open.clear()
        for (const one of done) reached(`before the commit of ${one}`)
        const result = run(...params)
        for (const one of done) reached(`after the commit of ${one}`)
        return result
      }
    } else if (named.length > 0) {
      const { all, run } = { all: statement.all.bind(statement), run: statement.run.bind(statement) }
      statement.all = (...params: unknown[]) => {
        const rows = all(...params)
        if (rows.length > 0) for (const unit of named) open.add(unit)
        return rows
      }
      statement.run = (...params: unknown[]) => {
        const result = run(...params)
        if (result.changes > 0) for (const unit of named) open.add(unit)
        return result
      }
    }
    return statement
  }
}
