// `pnpm demo`: real processes, real HTTP, SIGKILL. Exits 0 only if nothing was lost. `--short` for a test's patience.
import { compare, table, total } from './compare.ts'
import { ask, pause, until } from './http.ts'
import { type Hook, type Installation, behave, install } from './installation.ts'
import { type Acknowledged, load } from './load.ts'
import { tour } from './tour.ts'

const hooks: readonly Hook[] = [
  { hook: 'operator', by: 'operator', eventTypes: ['*'], note: "the operator's: every event about workspaces" },
  { hook: 'everything', by: 'workspace', eventTypes: ['*'], note: 'every event; it stalls before each kill' },
  { hook: 'messages', by: 'workspace', eventTypes: ['message.*', 'reply.*'], note: 'message.* and reply.* alone' },
  {
    hook: 'failing',
    by: 'workspace',
    eventTypes: ['channel.*', 'member.*'],
    behaviour: { kind: 'fail', status: 500, times: 40 },
    note: 'answers its first 40 requests with 500',
  },
  {
    hook: 'slow',
    by: 'workspace',
    eventTypes: ['reaction.*', 'pin.*'],
    behaviour: { kind: 'stall', ms: 100 },
    note: 'takes 100 ms for each',
  },
]

const short = process.argv.includes('--short')
const TOURS = short ? 12 : 60
const CLIENTS = 6
const KILLS = short ? 1 : 2
/** Requests that must be open at the receiver, unanswered, when the app is killed. */
const IN_FLIGHT = 8
const DRAIN_MS = 30_000

const started = performance.now()
const changes: Acknowledged[] = []
process.exitCode = 1
const installation = await install(hooks)
try {
  process.exitCode = await tell(installation)
} finally {
  await installation.stop()
}

async function tell(it: Installation): Promise<number> {
  const routes = new Set(tour.map(({ route }) => route)).size
  say(`The app listens on ${it.app.url} (SQLite, synchronous=FULL), the receiver on ${it.receiver.ready.url}.`)
  for (const { hook, note } of hooks) say(`  endpoint ${hook.padEnd(10)} ${note}`)
  say(
    `${CLIENTS} clients make ${TOURS * tour.length} changes over ${routes} routes; the app will be killed ${KILLS === 1 ? 'once' : 'twice'} meanwhile.`,
  )

  const onAcknowledged = (change: Acknowledged): void => void changes.push(change)
  const loading = load({ app: it.app, keys: it.keys, tours: TOURS, clients: CLIENTS, onAcknowledged })
  await Promise.all([loading, killings(it, loading), progress(it, loading)])
  say(`All ${changes.length} changes are acknowledged. Waiting for what is still on its way …`)
  await drained(it)

  const rows = await compare(it, hooks, changes)
  const sum = total(rows)
  console.log(`\n${table([...rows, sum])}\n`)
  const cut = changes.filter((change) => change.cut && !change.step.announced)
  const replayed = cut.filter((change) => change.replayed).length
  console.log(
    `${cut.length} requests were cut off by a kill and repeated with the same Idempotency-Key: ` +
      `${replayed} had been committed, ${cut.length - replayed} had not, and ${sum.unexplained} were committed twice.`,
  )
  const took = ((performance.now() - started) / 1000).toFixed(1)
  console.log(
    `kills ${KILLS}, committed ${sum.committed}, delivered ${sum.delivered}, verified ${sum.verified}, ` +
      `duplicated ${sum.duplicated}, unverified ${sum.unverified}, lost ${sum.lost}; ${took} s`,
  )
  return sum.lost === 0 && sum.unverified === 0 && sum.unexplained === 0 && sum.delivered === sum.committed ? 0 : 1
}

/** Spread over the load: lets the receiver hold its answers back, and kills the app while it waits for them. */
async function killings(it: Installation, loading: Promise<void>): Promise<void> {
  const { receiver, app } = it
  for (let kill = 1; kill <= KILLS; kill++) {
    const at = Math.floor((TOURS * tour.length * kill) / (KILLS + 1))
    await orFailed(
      loading,
      until(`${at} changes`, () => Promise.resolve(changes.length >= at || undefined), DRAIN_MS),
    )
    await behave(receiver, 'everything', { behaviour: { kind: 'stall' } })
    const open = async (): Promise<number | undefined> => {
      const held =
        (await ask<Record<string, { held: number }>>(`${receiver.ready.url}/control`))['everything']?.held ?? 0
      return held >= IN_FLIGHT ? held : undefined
    }
    const held = await orFailed(loading, until(`${IN_FLIGHT} open requests`, open, DRAIN_MS))
    await app.killAndRestart(async () => {
      say(`SIGKILL, with ${held} deliveries in flight to everything and ${changes.length} changes acknowledged.`)
      await behave(receiver, 'everything', { behaviour: { kind: 'ok' } })
    })
    say('The app runs again, on the same file.')
  }
}

/** A line every two seconds. */
async function progress(it: Installation, loading: Promise<void>): Promise<void> {
  const end = loading.then(() => true)
  while (!(await Promise.race([end, pause(2000)]))) {
    say(`${changes.length} changes acknowledged, ${await verified(it)} webhooks verified`)
  }
}

/** Until the app itself says that nothing is waiting, for the operator and for the workspace. */
async function drained({ app, keys }: Installation): Promise<void> {
  for (const key of Object.values(keys)) {
    const none = async (): Promise<true | undefined> => {
      const { data } = await ask<{ data: unknown[] }>(`${app.url}/webhooks/deliveries?status=pending&limit=1`, { key })
      return data.length === 0 || undefined
    }
    await until('the last deliveries', none, DRAIN_MS)
  }
}

async function verified({ receiver }: Installation): Promise<number> {
  const summary = await ask<Record<string, { verified: number }>>(`${receiver.ready.url}/arrivals`)
  return Object.values(summary).reduce((sum, hook) => sum + hook.verified, 0)
}

/** What the work comes to, unless the load fails first. */
function orFailed<T>(loading: Promise<void>, work: Promise<T>): Promise<T> {
  return Promise.race([work, loading.then(() => work)])
}

function say(text: string): void {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${text}`)
}
