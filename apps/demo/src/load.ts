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
  /** The connection broke while the request was under way, so the client did not know what became of it. */
  cut: boolean
  /** The answer was that of an earlier commit of the same request. */
  replayed: boolean
}

export interface LoadOptions {
  app: App
  keys: { operator: string; workspace: string }
  /** How often the whole tour is made, by all clients together. */
  tours: number
  clients: number
  onAcknowledged: (change: Acknowledged) => void
}

// A repeat that is not answered by then never will be: an app restarts within seconds, an in-flight mark ends after five.
const REPEAT_MS = 60_000

/** Resolves when every tour is made and every change acknowledged. */
export async function load({ app, keys, tours, clients, onAcknowledged }: LoadOptions): Promise<void> {
  let left = tours
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const ids: Ids = {}
      for (const step of tour) {
        const { change, made } = await carryOut(app, keys[step.by ?? 'workspace'], step, ids)
        if (step.makes !== undefined) ids[step.makes] = made
        onAcknowledged(change)
      }
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
}

async function carryOut(app: App, key: string, step: Step, ids: Ids): Promise<{ change: Acknowledged; made: string }> {
  const { path, ...call } = requestOf(step, ids)
  const idempotencyKey = uuidv7()
  const end = performance.now() + REPEAT_MS
  let cut = false
  for (;;) {
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
      return { change: { step, eventId, cut, replayed }, made: data.id }
    } else if (asksToWait(answer) && performance.now() < end) {
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

/** The first one is still in flight, for all the app knows, or nothing was accepted. */
function asksToWait({ status, body }: Answer): boolean {
  return status === 503 || (status === 409 && (body as { code?: string }).code === 'idempotency_in_flight')
}
