// Steady load by careful clients: each request has an Idempotency-Key, and a request without a response is repeated, with the
// same bytes and key, until there is one.
import { v7 as uuidv7 } from 'uuid'
import { type Answer, pause, request } from './http.ts'
import type { App } from './installation.ts'
import { type Ids, type Step, requestOf, tour } from './tour.ts'

/** A change that the app answered with 2xx. */
export interface Acknowledged {
  step: Step
  eventId: string
  /** A connection broke during the request, the client's or the app's own, so its result was unknown. */
  cut: boolean
  /** The app had no database: 503, nothing was stored. */
  refused: boolean
  /** The response was that of an earlier commit of the same request. */
  replayed: boolean
}

export interface LoadOptions {
  apps: readonly App[]
  keys: { operator: string; workspace: string }
  /** Tours to make, by all clients together. */
  tours: number
  /** Whether to continue after these. */
  more?: () => boolean
  clients: number
  /** The changes of a tour. @default each mutating route */
  steps?: readonly Step[]
  /** The pause of a client after each change, in ms. @default 0 */
  everyMs?: number
  /** Ends the load after the changes in flight. */
  signal?: AbortSignal
  onAcknowledged: (change: Acknowledged) => void
}

// A repeat without a response by then has failed: an app restarts within seconds, and an in-flight mark expires after five.
const REPEAT_MS = 60_000

/** Makes the tours; resolves when every change is acknowledged. */
export async function load({
  apps,
  keys,
  tours,
  clients,
  more = () => false,
  steps = tour,
  everyMs = 0,
  signal,
  onAcknowledged,
}: LoadOptions): Promise<void> {
  let left = tours
  const next = inTurn(apps)
  const isOver = (): boolean => signal?.aborted ?? false
  const client = async (): Promise<void> => {
    while (!isOver() && (left-- > 0 || more())) {
      const ids: Ids = {}
      for (const step of steps) {
        if (isOver()) return
        const { change, made } = await carryOut(next, keys[step.by ?? 'workspace'], step, ids)
        if (step.makes !== undefined) ids[step.makes] = made
        onAcknowledged(change)
        if (everyMs > 0) await pause(everyMs, signal)
      }
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
}

/** Rotates through the processes, without those that are restarting while another runs. */
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
    // A repeat may go to another process than its request, because they share one database.
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

/** Nothing listened, so the request was not read. */
function isRefused(error: unknown): boolean {
  return (error as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED'
}

/** The first request may still be in flight, or nothing was accepted, or the commit is unconfirmed: repeat it. */
function asksToWait({ status, body }: Answer): boolean {
  return (
    status === 503 ||
    ['idempotency_in_flight', 'commit_unconfirmed'].includes((body as { code?: string } | null)?.code ?? '')
  )
}
