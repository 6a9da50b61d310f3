// The story, on every platform: real processes, real HTTP, SIGKILL. It succeeds only if nothing was lost.
import { compare, deliveriesOf, table, total } from './compare.ts'
import { ask, pause, until } from './http.ts'
import { type Hook, type Installation, behave, install } from './installation.ts'
import { type Acknowledged, load } from './load.ts'
import { say, seconds } from './say.ts'
import type { Outage, Stage } from './stage.ts'
import { tour } from './tour.ts'

const CLIENTS = 6

const FAILING = { behaviour: { kind: 'fail', status: 500, times: 12 } }

const hooksOf = ({ failsFrom }: Stage): readonly Hook[] => [
  { hook: 'operator', by: 'operator', eventTypes: ['*'], note: "the operator's: every event about workspaces" },
  { hook: 'everything', by: 'workspace', eventTypes: ['*'], note: 'every event; it stalls before each kill' },
  { hook: 'messages', by: 'workspace', eventTypes: ['message.*', 'reply.*'], note: 'message.* and reply.* only' },
  {
    hook: 'failing',
    by: 'workspace',
    eventTypes: ['channel.*', 'member.*'],
    ...(failsFrom === 'start' && FAILING),
    note: `answers 12 requests with 500, its first since the ${failsFrom}`,
  },
  {
    hook: 'slow',
    by: 'workspace',
    eventTypes: ['reaction.*', 'pin.*'],
    behaviour: { kind: 'stall', ms: 100 },
    note: 'takes 100 ms for each',
  },
]

const changes: Acknowledged[] = []

/** Runs the story, and sets the exit code of this process. Removes everything that it started, also after an error. */
export async function runStory(stage: Stage): Promise<void> {
  process.exitCode = 1
  let installation: Installation | undefined
  const play = async (): Promise<void> => {
    installation = await install(hooksOf(stage), stage)
    process.exitCode = await run(installation, stage)
  }
  try {
    await Promise.race([play(), interrupted()])
  } catch (error) {
    console.error(error)
  }
  await installation?.stop()
  await stage.end?.()
  // Clients of a failed story would continue to retry for a while.
  process.exit()
}

/** Rejects at the first signal, so that the `exit` handlers run; a second signal does not wait for the rest. */
function interrupted(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.on(signal, () => process.exit(1))
        reject(new Error(`the story was ended by ${signal}`))
      })
    }
  })
}

async function run(it: Installation, stage: Stage): Promise<number> {
  const { kills, tours, outage, processes = 1 } = stage
  const routes = new Set(tour.map(({ route }) => route)).size
  const urls = it.apps.map(({ url }) => url).join(', ')
  say(`The app listens on ${urls} (${stage.place}), the receiver on ${it.receiver.ready.url}.`)
  for (const { hook, note } of it.hooks) say(`  endpoint ${hook.padEnd(10)} ${note}`)
  say(
    `${CLIENTS} clients make ${tours * tour.length} changes over ${routes} routes; ${processes === 1 ? 'the app' : `one of ${processes} processes`} will be killed ${kills === 1 ? 'once' : 'twice'} meanwhile${outage ? `, and then ${outage.what}` : ''}.`,
  )

  const onAcknowledged = (change: Acknowledged): void => void changes.push(change)
  // The other processes go on without the killed one, so all tours could be finished before it runs again.
  let more = outage !== undefined
  const loading = load({ apps: it.apps, keys: it.keys, tours, clients: CLIENTS, more: () => more, onAcknowledged })
  const troubled = async (): Promise<void> => {
    await troubles(it, stage, loading)
    more = false
  }
  const played = async (): Promise<number> => {
    await Promise.all([loading, troubled(), progress(it, loading)])
    say(`All ${changes.length} changes are acknowledged. Waiting for the remaining deliveries …`)
    await drained(it, stage.drainMs)
    return report(it, stage)
  }
  const play = played()
  const [code] = await Promise.all([play, clock(it, stage, play)])
  return code
}

async function report(it: Installation, stage: Stage): Promise<number> {
  const rows = await compare(it, changes)
  const sum = total(rows)
  console.log(`\n${table([...rows, sum])}\n`)
  const cut = changes.filter((change) => change.cut && !change.step.announced)
  const replayed = cut.filter((change) => change.replayed).length
  if (stage.outage) {
    const refused = changes.filter((change) => change.refused).length
    console.log(`${refused} requests got 503 while there was no database, and were repeated until they were accepted.`)
  }
  console.log(
    `${cut.length} requests were cut off ${stage.outage ? 'by the kill or the outage' : 'by a kill'} and repeated with the same Idempotency-Key: ` +
      `${replayed} had been committed, ${cut.length - replayed} had not, and ${sum.unexplained} were committed twice.`,
  )
  console.log(
    `kills ${stage.kills}, ${stage.outage ? 'outages 1, ' : ''}committed ${sum.committed}, delivered ${sum.delivered}, verified ${sum.verified}, ` +
      `duplicated ${sum.duplicated}, unverified ${sum.unverified}, lost ${sum.lost}; ${seconds()} s`,
  )
  const well = sum.lost === 0 && sum.unverified === 0 && sum.unexplained === 0 && sum.delivered === sum.committed
  return ((await stage.epilogue?.(it)) ?? true) && well ? 0 : 1
}

/** Kills and outages, spread over the load: each while the receiver stalls and the app waits for its responses. */
async function troubles(it: Installation, stage: Stage, loading: Promise<void>): Promise<void> {
  const { kills, outage, tours, inFlight, drainMs } = stage
  const all = Array.from({ length: kills }, (_, kill) => (scene: string) => killOne(it, stage, kill + 1, scene))
  if (outage) all.push((scene) => sufferOutage(it, stage, outage, scene))
  for (const [index, strike] of all.entries()) {
    const at = Math.floor((tours * tour.length * (index + 1)) / (all.length + 1))
    await orFailed(
      loading,
      until(`${at} changes`, () => Promise.resolve(changes.length >= at || undefined), drainMs),
    )
    await behave(it.receiver, 'everything', { behaviour: { kind: 'stall' } })
    const open = async (): Promise<number | undefined> => {
      const held =
        (await ask<Record<string, { held: number }>>(`${it.receiver.ready.url}/control`))['everything']?.held ?? 0
      return held >= inFlight ? held : undefined
    }
    const held = await orFailed(loading, until(`${inFlight} open requests`, open, drainMs))
    // Webhooks may arrive before their changes are acknowledged.
    const waiting = Math.max(0, deliveriesOf(it.hooks, changes) - (await verified(it)))
    await strike(
      `with ${held} deliveries in flight to everything, ${waiting} waiting and ${changes.length} changes acknowledged.`,
    )
  }
}

async function killOne({ apps, receiver }: Installation, stage: Stage, kill: number, scene: string): Promise<void> {
  await apps[kill % apps.length]?.killAndRestart(async () => {
    say(`SIGKILL${apps.length > 1 ? ` to one of ${apps.length} processes` : ''}, ${scene}`)
    await behave(receiver, 'everything', { behaviour: { kind: 'ok' } })
    if (stage.failsFrom === 'kill') await behave(receiver, 'failing', FAILING)
  })
  say(`${apps.length > 1 ? 'It' : 'The app'} runs again, on its database.`)
}

async function sufferOutage(it: Installation, stage: Stage, outage: Outage, scene: string): Promise<void> {
  const began = performance.now()
  await outage.begin()
  say(`Now ${outage.what}, ${scene}`)
  // Deliveries succeed, but their outcomes cannot be recorded.
  await behave(it.receiver, 'everything', { behaviour: { kind: 'ok' } })
  await outage.end()
  const back = performance.now()
  say(`The database is back, after ${((back - began) / 1000).toFixed(1)} s.`)
  const before = [changes.length, await verified(it)] as const
  const goesOn = async (): Promise<true | undefined> =>
    (changes.length > before[0] && (await verified(it)) > before[1]) || undefined
  await until('changes and deliveries after the outage', goesOn, stage.drainMs)
  say(`Changes are acknowledged and webhooks arrive again, ${((performance.now() - back) / 1000).toFixed(1)} s later.`)
}

/** Runs the platform's cron for the length of the story. */
async function clock({ app }: Installation, { clock: by }: Stage, play: Promise<unknown>): Promise<void> {
  if (!by) return
  const end = play.then(() => true)
  while (!(await Promise.race([end, pause(by.everyMs)]))) {
    await app.up()
    const said = await by.tick(app.url)
    if (said !== undefined) say(said)
  }
}

/** Prints a line every two seconds. */
async function progress(it: Installation, loading: Promise<void>): Promise<void> {
  const end = loading.then(() => true)
  while (!(await Promise.race([end, pause(2000)]))) {
    say(`${changes.length} changes acknowledged, ${await verified(it)} webhooks verified`)
  }
}

/** Resolves when the app reports no pending or held deliveries, for the operator and for the workspace. */
export async function drained({ app, keys }: Installation, boundMs: number): Promise<void> {
  for (const key of Object.values(keys)) {
    // A held row may become pending, and a pending one held, between two requests: so `pending` is asked again.
    const none = async (): Promise<true | undefined> => {
      for (const status of ['pending', 'held', 'pending']) {
        const path = `${app.url}/webhooks/deliveries?status=${status}&limit=1`
        if ((await ask<{ data: unknown[] }>(path, { key })).data.length > 0) return undefined
      }
      return true
    }
    await until('the last deliveries', none, boundMs)
  }
}

async function verified({ receiver }: Installation): Promise<number> {
  const summary = await ask<Record<string, { verified: number }>>(`${receiver.ready.url}/arrivals`)
  return Object.values(summary).reduce((sum, hook) => sum + hook.verified, 0)
}

/** The result of the work, unless the load fails first. */
function orFailed<T>(loading: Promise<void>, work: Promise<T>): Promise<T> {
  return Promise.race([work, loading.then(() => work)])
}
