import { randomBytes } from 'node:crypto'
import {
  type ClaimDueOptions,
  type ClaimOptions,
  type OutboxDatabase,
  type PendingEvent,
  claimDueEvents,
  lookAtLanes,
} from '@keepsend/outbox'
import { type SqlValue, pendingEvents, readPendingEvents } from '@keepsend/outbox/internal'
import { Webhook } from 'standardwebhooks'
import {
  type DeliveryOutcome,
  type EndpointInput,
  type Engine,
  type EngineOptions,
  type Logger,
  type QueuedEvent,
  type SendRequest,
  type SendResult,
  type Sender,
  createEngine,
  createKeyRing,
} from '../src/index.ts'
import { type TestDatabase, openDatabase, prepare } from './database.ts'
import { checked } from './document-check.ts'

/** The key ring of the tests: secrets are encrypted unless a test says otherwise. */
export const TEST_KEYS = createKeyRing([{ id: 'k1', key: randomBytes(32).toString('base64') }])

/** A receiver's answer to one request: a status, or a complete response. */
export type Answer = number | { status: number; headers?: Record<string, string>; body?: string } | SendResult

/** Receivers in memory, behind the `Sender` port. Every request is recorded, in the order of arrival. */
export function receivers(answer: (request: SendRequest) => Answer = () => 200): Sender & { requests: SendRequest[] } {
  const requests: SendRequest[] = []
  return {
    requests,
    async send(request) {
      requests.push(request)
      const said = answer(request)
      if (typeof said === 'object' && 'kind' in said) return said
      const { status, headers = {}, body = '' } = typeof said === 'number' ? { status: said } : said
      const bytes = new TextEncoder().encode(body)
      return { kind: 'response', status, header: (name) => headers[name], headers: () => headers, body: bytes }
    },
  }
}

/** Throws unless the request carries a signature under the secret, over these bytes, for this time. */
export function verify(request: SendRequest | undefined, secret: string): void {
  new Webhook(secret).verify(request?.body ?? '', request?.headers ?? {})
}

/** Whether the request carries such a signature. */
export function verifies(request: SendRequest | undefined, secret: string): boolean {
  try {
    verify(request, secret)
    return true
  } catch {
    return false
  }
}

/** A request with an API key. */
export function bearer(key: string): Request {
  return new Request('http://app/', { headers: { authorization: `Bearer ${key}` } })
}

interface Line {
  level: string
  message: string
  fields: Record<string, unknown>
}

/** A logger that records its lines. Those of the actions of people, which most tests make to begin with, are apart. */
function keptLog(): Logger & { entries: Line[]; actions: Line[] } {
  const entries: Line[] = []
  const actions: Line[] = []
  const at = (level: string) => (fields: Record<string, unknown>, message: string) => {
    const lines = fields['auditId'] === undefined ? entries : actions
    lines.push({ level, message, fields })
  }
  return { entries, actions, info: at('info'), warn: at('warn'), error: at('error') }
}

export interface Rig extends Pick<TestDatabase, 'select' | 'readOnly'> {
  db: OutboxDatabase
  engine: Engine
  /** The messages that the queue got. */
  messages: QueuedEvent[]
  sender: ReturnType<typeof receivers>
  log: ReturnType<typeof keptLog>
  /** Reads the rows of `pending_events`, in the order of their keys. */
  rows: () => Promise<PendingEvent[]>
  count: (table: string) => Promise<number>
  /** Runs a statement of the test, without the engine. */
  exec: (sql: string, ...params: SqlValue[]) => Promise<void>
  /** Creates an endpoint of workspace w1, by default for all event types. */
  addEndpoint: (parts?: Partial<EndpointInput> & { workspaceId?: string }) => Promise<{ id: string; secret: string }>
  /** Claims due rows, attempts each and settles all in one transaction. */
  work: (options?: Partial<ClaimDueOptions>) => Promise<DeliveryOutcome[]>
}

/** An engine on a database of its own, with a host's table `messages` beside Keepsend's. */
export async function rig(
  options: Partial<EngineOptions> & {
    answer?: (request: SendRequest) => Answer
    wrap?: (db: OutboxDatabase) => OutboxDatabase
    on?: TestDatabase
  } = {},
): Promise<Rig> {
  const { answer, wrap = (same) => same, on, ...rest } = options
  const { db: direct, select, readOnly } = on ?? (await openDatabase())
  // It may be a file of the test's own.
  if (on) await prepare(direct)

  const messages: QueuedEvent[] = []
  const sender = receivers(answer)
  const log = keptLog()
  const queue = { send: async (message: QueuedEvent) => void messages.push(message) }
  const db = wrap(direct)
  const engine = checked(createEngine({ db, queue, sender, secrets: TEST_KEYS, logger: log, random: () => 0, ...rest }))

  return {
    select,
    readOnly,
    db,
    engine,
    messages,
    sender,
    log,
    rows: async () =>
      readPendingEvents(await select(`select ${pendingEvents.all.sql} from pending_events order by id`)),
    count: async (table) => Number((await select(`select count(*) as n from ${table}`))[0]?.['n']),
    exec: async (sql, ...params) => void (await direct.run({ sql, params })),
    async addEndpoint({ workspaceId = 'w1', ...parts } = {}) {
      const { endpoint, secret } = await engine.endpoints.create(workspaceId, {
        url: 'https://hooks.example.com/',
        ...parts,
      })
      return { id: endpoint.id, secret }
    },
    async work(claim = {}) {
      const { claims } = await claimDueEvents(direct, { limit: 100, ...claim })
      const finished = await Promise.all(
        claims.map(async (one) => ({ claim: one, outcome: await engine.worker.deliver(one, one.claimedAt) })),
      )
      await engine.worker.settle(finished)
      return finished.map(({ outcome }) => outcome)
    },
  }
}

/** A claim of up to this many rows of each lane that has due rows now. */
export async function claimInLine({ db }: Pick<Rig, 'db'>, count: number): Promise<ClaimOptions> {
  const { lanes } = await lookAtLanes(db)
  return { lanes: lanes.map((lane) => ({ ...lane, count })) }
}

/** How often a row changed its state since its insert: claimed, settled, held, resumed or replayed. */
export function moves({ gen, createdAt }: PendingEvent): number {
  return gen - createdAt
}

/** A time at which every retry is due, and no delivery has expired. */
export const LATER = Date.now() + 4 * 86_400_000

/** A signal: `promise` resolves when a test calls `resolve`. */
export function signal(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** Waits until all work that has begun has run. */
export function settled(): Promise<void> {
  return new Promise((done) => {
    setImmediate(done)
  })
}
