// Steady load: clients that do what careful clients do. Each request carries an Idempotency-Key, and one whose answer
// never came is sent again, the same bytes under the same key, until there is an answer.
import { v7 as uuidv7 } from 'uuid'
import { type Answer, pause, request } from './http.ts'
import type { App } from './installation.ts'
import { type Ids, type Step, requestOf, tour } from './tour.ts'

/** A change that the app has answered with 2xx. */
export interface Acknowledged {
  step: Step
  eventId: string
  /** The connection broke while the request was under way, the client's or the app's own: nobody knew what became of it. */
  cut: boolean
  /** The app was asked while it had no database: 503, nothing was kept. */
  refused: boolean
  /** The answer was that of an earlier commit of the same request. */
  replayed: boolean
}

export interface LoadOptions {
  apps: readonly App[]
  keys: { operator: string; workspace: string }
  /** How often the whole tour is made, by all clients together. */
  tours: number
  /** Whether to go on when these are made. */
  more?: () => boolean
  clients: number
  onAcknowledged: (change: Acknowledged) => void
}

// A repeat that is not answered by then never will be: an app restarts within seconds, an in-flight mark ends after five.
const REPEAT_MS = 60_000

/** Resolves when every tour is made and every change acknowledged. */
export async function load({
  apps,
  keys,
  tours,
  clients,
  more = () => false,
  onAcknowledged,
}: LoadOptions): Promise<void> {
  let left = tours
  const next = inTurn(apps)
  const client = async (): Promise<void> => {
    while (left-- > 0 || more()) {
      const ids: Ids = {}
      for (const step of tour) {
        const { change, made } = await carryOut(next, keys[step.by ?? 'workspace'], step, ids)
        if (step.makes !== undefined) ids[step.makes] = made
        onAcknowledged(change)
      }
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
}

/** The processes one after the other; one that was killed is left out, if another runs. */
function inTurn(apps: readonly App[]): () => App {
  let turn = 0
  return () => {
    const running = apps.filter((app) => !app.restarting)
    const among = running.length > 0 ? running : apps
    return among[turn++ % among.length] as App
  }
}

async function carryOut(
  next: () => App,
  key: string,
  step: Step,
  ids: Ids,
): Promise<{ change: Acknowledged; made: string }> {
  const { path, ...call } = requestOf(step, ids)
  const idempotencyKey = uuidv7()
  const end = performance.now() + REPEAT_MS
  let cut = false
  let refused = false
  for (;;) {
    // A repeat may go to another process than the request: they share one database.
    const app = next()
    await app.up()
    const answer = await request(app.url + path, { ...call, key, idempotencyKey }).catch((error: unknown) => {
      if (performance.now() > end) throw error
      if (!isRefused(error)) cut = true
      return undefined
    })
    if (!answer) {
      await pause(25)
    } else if (answer.status < 300) {
      const { eventId, data } = answer.body as { eventId: string; data: { id: string } }
      const replayed = answer.headers.get('idempotency-replayed') === 'true'
      return { change: { step, eventId, cut, refused, replayed }, made: data.id }
    } else if (asksToWait(answer) && performance.now() < end) {
      if (answer.status === 503) refused = true
      if (answer.status === 500) cut = true
      await pause(Number(answer.headers.get('retry-after') ?? 1) * 1000)
    } else {
      throw new Error(`${step.route} was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    }
  }
}

/** Nobody listened: the request was certainly not read. */
function isRefused(error: unknown): boolean {
  return (error as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED'
}

/** The first one is still in flight, for all the app knows, or nothing was accepted, or nobody knows and the repeat tells. */
function asksToWait({ status, body }: Answer): boolean {
  return (
    status === 503 ||
    ['idempotency_in_flight', 'commit_unconfirmed'].includes((body as { code?: string } | null)?.code ?? '')
  )
}
