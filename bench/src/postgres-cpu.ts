import { existsSync, readFileSync } from 'node:fs'
import pg from 'pg'

// `getconf CLK_TCK`, which is 100 on every Linux with /proc.
const MS_PER_TICK = 10

/**
 * ms of CPU that all processes of a Postgres on this machine have used so far, also those that have ended. Undefined
 * without /proc.
 */
export async function postgresCpuMs(url: string): Promise<number | undefined> {
  if (!existsSync('/proc/self/stat')) return undefined
  const client = new pg.Client(url)
  await client.connect()
  try {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    const [backend] = rows
    const server = statOf(backend?.pid ?? 0).parent
    const children = readFileSync(`/proc/${server}/task/${server}/children`, 'utf8').trim().split(' ').map(Number)
    const { own, ofTheDead } = statOf(server)
    return children.reduce((sum, pid) => sum + statOf(pid).own, own + ofTheDead) * MS_PER_TICK
  } finally {
    await client.end()
  }
}

/** In ticks. A process that has just ended counts with its parent. */
function statOf(pid: number): { parent: number; own: number; ofTheDead: number } {
  const file = `/proc/${pid}/stat`
  // The name, in brackets, may contain anything; numbers follow.
  const fields = existsSync(file)
    ? readFileSync(file, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
    : []
  const at = (index: number): number => Number(fields[index] ?? 0)
  return { parent: at(1), own: at(11) + at(12), ofTheDead: at(13) + at(14) }
}
