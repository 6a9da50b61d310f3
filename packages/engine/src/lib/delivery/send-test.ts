import { type OutboxDatabase, type TakenEvent, Transaction } from '@keepsend/outbox'
import { type OptionNames, onlyRow, rowId, sqlText } from '@keepsend/outbox/internal'
import type { CatalogVersions } from '../catalog/catalog-versions.ts'
import type { Endpoint } from '../endpoints/endpoint.ts'
import { versionFor } from '../endpoints/event-version.ts'
import { classOf } from '../error-classes.ts'
import { EngineError, asEngineError, checkNames } from '../errors.ts'
import { TEST_TYPE, attemptEnd } from '../history/attempt-end.ts'
import type { Attempt } from '../history/attempt-list.ts'
import { readHistory } from '../history/history-options.ts'
import { MAX_ERROR, micros, textOf } from '../history/record-attempts.ts'
import { type RecordedTest, recordTestStatement } from '../history/record-test.ts'
import { type ActingOption, ActionTransaction, BY_OPTION, type ByOption } from '../audit/action.ts'
import { errorFields } from '../logger.ts'
import type { DeliveryOutcome } from '../outcome.ts'
import { type PreparedEvent, prepareEvent } from '../publish/event.ts'
import { type DeliverDeps, deliverEvent } from './deliver.ts'
import { createTestSlots } from './test-slots.ts'

export interface TestOptions extends ByOption {
  /** Any type that a publish may have, whether the endpoint is subscribed to it or not. @default 'test' */
  type?: string | undefined
  /** @default a message, and the id of the endpoint */
  data?: object | undefined
  /** Stops waiting: the call rejects with its reason. A request that has begun ends by itself, and is recorded. @default waits */
  signal?: AbortSignal | undefined
}

export const TEST_OPTIONS = {
  type: 'text',
  data: 'any',
  signal: 'any',
  ...BY_OPTION,
} satisfies OptionNames<TestOptions>

/** The attempt of a test. Its outcome is `delivered` or `failed`. */
export type TestAttempt = Omit<Attempt, 'id' | 'gen'>

interface SendTestDeps {
  db: OutboxDatabase
  delivering: DeliverDeps
  versions: CatalogVersions | undefined
  find: (workspaceId: string, id: string) => Promise<Endpoint>
}

const NO_SENDER =
  'this process has no sender: use the test that another process delivers (publishTest, POST /endpoints/{id}/test), or give this engine a sender'

/** Creates the function that sends tests: see `Engine.sendTest`. */
export function createSendTest({ db, delivering, versions, find }: SendTestDeps) {
  const { history, logger } = delivering
  // The answer shows the response, whatever the history stores of it.
  const shown = history ?? readHistory(true, false)
  const deps: DeliverDeps = { ...delivering, history: shown && { ...shown, responses: 'all' } }
  const slots = createTestSlots()

  async function attempt(
    event: PreparedEvent,
    { endpointId, version }: { endpointId: string; version: string | null },
    { by, acting }: ByOption & ActingOption,
  ): Promise<TestAttempt> {
    const { rows } = await db.run<{ now: number }>(sqlText`select ms as "now" from keepsend_clock`)
    const row = rowOf(event, { endpointId, version }, onlyRow(rows).now)
    const action = { verb: 'endpoint.test', workspaceId: row.workspaceId, endpointId, deliveryId: row.id } as const
    // Before the request, so that a crash leaves no test without its row.
    const asked = new ActionTransaction({ db, logger }, action, { by: acting?.principal ?? by }).record()
    await asked.commit(db).catch((error: unknown) => {
      throw asEngineError(error)
    })
    const test = testOf(row, await deliverEvent(deps, row, { now: row.createdAt, isTest: true }))
    const answer = shownTest(test)
    const isRecorded = history && (history.attempts === 'all' || test.outcome !== 'delivered')
    const transaction = new Transaction()
    acting?.once?.begin(transaction)
    if (isRecorded) {
      const isStored = history.responses === 'all' || (history.responses === 'failed' && test.outcome !== 'delivered')
      const response = isStored ? test.response : { timing: test.response?.timing }
      transaction.add(recordTestStatement(db, { ...test, response }))
    }
    acting?.once?.end(transaction, sqlText`cast(${JSON.stringify(answer)} as text)`)
    if (transaction.isEmpty) return answer
    await transaction.commit(db).catch((error: unknown) => {
      if (acting?.once) throw asEngineError(error)
      const ids = { deliveryId: row.id, endpointId, workspaceId: row.workspaceId }
      logger.error({ ...ids, ...errorFields(error) }, 'failed to record a test; it was sent')
    })
    return answer
  }

  return async (
    workspaceId: string,
    endpointId: string,
    { acting, ...options }: TestOptions & ActingOption = {},
  ): Promise<TestAttempt> => {
    checkNames('engine.sendTest', TEST_OPTIONS, options)
    const { type = TEST_TYPE, data = { message: 'This is a test event.', endpointId }, signal } = options
    const version = versionFor(await find(workspaceId, endpointId), versions)
    if (!delivering.sender) throw new EngineError('conflict', NO_SENDER)
    const event = prepareEvent({ type, workspaceId, data })
    signal?.throwIfAborted()
    const sent = slots.run(workspaceId, () => attempt(event, { endpointId, version }, { by: options.by, acting }))
    return signal ? unlessAborted(sent, signal) : sent
  }
}

/** The event as a row that was claimed for its only attempt. */
function rowOf(
  { id, workspaceId, type, payload, contentType }: PreparedEvent,
  { endpointId, version }: { endpointId: string; version: string | null },
  now: number,
): TakenEvent {
  return {
    id: rowId(id, endpointId),
    workspaceId,
    type,
    endpointId,
    status: 'pending',
    attempts: 1,
    maxAttempts: 1,
    deferrals: 0,
    crashes: 0,
    gen: 1,
    dueAt: null,
    claimedAt: now,
    createdAt: now,
    deliverAt: null,
    expiresAt: null,
    replayedAt: null,
    lastError: null,
    lastStatus: null,
    contentType,
    filter: null,
    version,
    convertTo: null,
    payload,
  }
}

/** @throws {EngineError} if no attempt was made */
function testOf({ id, gen, workspaceId, endpointId, type }: TakenEvent, outcome: DeliveryOutcome): RecordedTest {
  const end = attemptEnd(outcome)
  if (!outcome.record || !end) throw notSent(outcome)
  const { record } = outcome
  return {
    id,
    gen,
    workspaceId,
    endpointId,
    type,
    ...record,
    ...end,
    // No other attempt follows, whatever the receiver asked for.
    outcome: end.outcome === 'delivered' ? 'delivered' : 'failed',
  }
}

function notSent(outcome: DeliveryOutcome): EngineError {
  if (outcome.kind === 'hold') {
    const retryAfterSeconds = Math.max(1, Math.ceil((outcome.resumeInMs ?? 0) / 1000))
    return new EngineError('too_many_requests', 'the rate limit of the endpoint allows no attempt now', {
      retryAfterSeconds,
    })
  }
  const error = 'error' in outcome ? outcome.error : ''
  const errorClass = classOf(error)
  if (errorClass === 'endpoint_gone') return new EngineError('not_found', 'no such endpoint')
  if (errorClass === 'secret_unreadable') return new EngineError('secret_unreadable', error)
  return new EngineError('not_accepted', error, { retryAfterSeconds: 1 })
}

function shownTest(test: RecordedTest): TestAttempt {
  const { id, workspaceId, endpointId, type, outcome, httpStatus = null, url, response, startedAt, tookMs } = test
  const { timing, headers = null, body } = response ?? {}
  const error = textOf(test.error, MAX_ERROR)
  return {
    deliveryId: id,
    workspaceId,
    endpointId,
    type,
    number: 1,
    reason: 'test',
    startedAt: Math.floor(startedAt),
    queueUs: null,
    dnsUs: micros(timing?.dnsMs),
    connectUs: micros(timing?.connectMs),
    tlsUs: micros(timing?.tlsMs),
    firstByteUs: micros(timing?.firstByteMs),
    totalUs: micros(tookMs) ?? 0,
    outcome,
    httpStatus,
    errorClass: classOf(error, httpStatus),
    error,
    url,
    headers,
    body: body ?? null,
  }
}

/** The result, or a rejection with the reason of the signal: nobody waits for the work any more. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
