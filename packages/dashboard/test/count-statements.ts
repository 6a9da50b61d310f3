import type { OutboxDatabase } from '@keepsend/outbox'

/** Counts the statements that a database runs from now on, and since the last call. */
export function countStatements(db: OutboxDatabase): () => number {
  let count = 0
  const direct = { ...db }
  Object.assign(db, {
    run: (statement: Parameters<typeof db.run>[0]) => {
      count++
      return direct.run(statement)
    },
    atomic: (all: Parameters<typeof db.atomic>[0]) => {
      count += all.length
      return direct.atomic(all)
    },
  })
  return () => {
    const taken = count
    count = 0
    return taken
  }
}
