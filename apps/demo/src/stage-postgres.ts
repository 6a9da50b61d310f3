import { startChild } from './child.ts'
import { until } from './http.ts'
import { replayMissed } from './missed.ts'
import type { Stage } from './stage.ts'
import type { StoryPostgres } from './story-database.ts'
import { say } from './say.ts'

// An idle poller looks every five seconds.
const NOTICE_MS = 20_000

/** Three processes of the app on one Postgres, which fails during the story. */
export function postgresStage({ url, place, outage, end }: StoryPostgres, { short = false } = {}): Stage {
  const processes = 3
  let started = 0
  /** Log lines of the processes since the outage began. */
  let said: Said[] | undefined
  const hear = (by: number, line: string): void => {
    const entry = entryOf(line)
    if (said && entry) said.push({ by, ...entry })
    else console.error(line)
  }
  const haveAllNoticed = async (): Promise<true | undefined> => {
    const { message, times } = outage.sign
    const signs = Map.groupBy(said?.filter((entry) => entry.message === message) ?? [], ({ by }) => by)
    const known = [...signs.values()].filter((entries) => entries.length >= times)
    return known.length === processes || undefined
  }
  return {
    place,
    tours: short ? 12 : 60,
    processes,
    kills: 1,
    failsFrom: 'start',
    // Of all processes; the killed one has some of them.
    inFlight: 12,
    drainMs: 30_000,
    epilogue: replayMissed,
    start(_folder, port) {
      const by = ++started
      return startChild('node.ts', {
        env: { DATABASE_URL: url, DEMO_TIMES: 'story', PORT: port },
        onLog: (line) => hear(by, line),
      })
    },
    outage: {
      what: outage.what,
      begin() {
        said = []
        return outage.begin()
      },
      async end() {
        await until('every process to notice', haveAllNoticed, NOTICE_MS)
        await outage.end()
        for (const [message, entries] of Map.groupBy(said ?? [], (entry) => entry.message)) {
          const waits = entries.flatMap(({ backoffMs }) => backoffMs ?? [])
          const backoff = waits.length > 0 ? `, in ${Math.min(...waits)} to ${Math.max(...waits)} ms` : ''
          say(`  The processes said, ${entries.length} times: ${message}${backoff}`)
        }
      },
    },
    end,
  }
}

interface Entry {
  message: string
  /** Milliseconds until its retry. */
  backoffMs?: number
}

type Said = Entry & { by: number }

/** Parses a line of the app's log; undefined for other lines, such as a stack. */
function entryOf(line: string): Entry | undefined {
  try {
    return JSON.parse(line) as Entry
  } catch {
    return undefined
  }
}
