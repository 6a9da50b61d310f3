import pg from 'pg'
import { type Unit, reached, unitsOf } from './strike.ts'

type Query = (this: pg.Client, text: string, values?: unknown[]) => Promise<pg.QueryResult>

/**
 * Reports every commit on connections of `pg`. A statement outside a transaction is its own commit: "before" means that
 * it was just written to the socket, so the server may or may not commit it.
 */
export function watchPostgres(): void {
  const prototype = pg.Client.prototype as unknown as { query: Query }
  const query = prototype.query
  const open = new WeakMap<pg.Client, Set<Unit>>()
  prototype.query = async function watched(text, ...rest) {
    const units = typeof text === 'string' ? unitsOf(text) : []
    if (typeof text === 'string' && text.startsWith('begin')) open.set(this, new Set())
    const transaction = open.get(this)
    for (const unit of units) transaction?.add(unit)
    const ends = text === 'commit' || text === 'rollback'
    const alone = transaction ? [] : units
    const committed = text === 'commit' ? [...(transaction ?? [])] : alone
    if (ends) open.delete(this)
    if (text === 'commit') for (const one of committed) reached(`before the commit of ${one}`)
    const answer = query.call(this, text, ...rest)
    for (const one of alone) reached(`before the commit of ${one}`)
    const result = await answer
    for (const one of committed) reached(`after the commit of ${one}`)
    return result
  }
}
