// Opens the file it is told to, at the moment it is told, and says how that went.
import { openSqlite } from '../src/lib/database/open-sqlite.ts'

async function open(file: string): Promise<string> {
  const db = openSqlite(file)
  // Whatever another process kept from it at that moment is set up now.
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
