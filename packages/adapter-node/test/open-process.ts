// Opens the file it is told to, at the moment it is told, and says how that went.
import { openSqlite } from '../src/lib/open.ts'

process.on('message', (file: string) => {
  try {
    const db = openSqlite(file)
    const synchronous = db.connection.pragma('synchronous', { simple: true })
    db.close()
    process.send?.(`opened with ${String(synchronous)}`)
  } catch (error) {
    process.send?.(String(error))
  }
})
process.send?.('ready')
