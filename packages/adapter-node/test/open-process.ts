// Opens the given file when the test asks, and reports the result.
import { openSqlite } from '../src/lib/database/open-sqlite.ts'

async function open(file: string): Promise<string> {
  const db = openSqlite(file)
  // Applies the settings that another process blocked at the time.
  await db.run({ sql: 'select 1', params: [] })
  const synchronous = db.connection.pragma('synchronous', { simple: true })
  db.close()
  return `opened with ${String(synchronous)}`
}

process.on(
  'message',
  (file: string) =>
    void open(file)
      .catch(String)
      .then((said) => process.send?.(said)),
)
process.send?.('ready')
