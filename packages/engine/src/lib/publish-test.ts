import { OutboxError } from '@keepsend/outbox'
import { rowId, sqlText } from '@keepsend/outbox/internal'
import { ActionTransaction } from './audit/action.ts'
import type { CatalogVersions } from './catalog/catalog-versions.ts'
import type { RouteEngine } from './api/route.ts'
import { STATE_OPTIONS } from './endpoints/endpoint-store-api.ts'
import { EngineError, asEngineError, checkNames } from './errors.ts'
import { TEST_TYPE } from './history/attempt-end.ts'
import type { Logger } from './logger.ts'
import type { PublishedEvent } from './publish/commit.ts'
import { inBackground } from './publish/dispatch.ts'
import type { QueuedEvent } from './publish/event-queue.ts'
import { prepareEvent } from './publish/event.ts'
import { type PublishTarget, fanOutToOneStatements } from './publish/fan-out.ts'
import { addInsert, messagesFor } from './publish/publish.ts'
import type { RowCeilings } from './row-ceiling.ts'

interface PublishTestDeps {
  logger: Logger
  versions: CatalogVersions | undefined
  target: PublishTarget
  ceilings: RowCeilings
  /** @throws {EngineError} `not_found` */
  requireEndpoint: (workspaceId: string, endpointId: string) => Promise<unknown>
  notifyQueue: (messages: readonly QueuedEvent[]) => Promise<void>
  tellPublished: (published: PublishedEvent) => void
}

/** Publishes an event of type `test` to one endpoint: see `Engine.publishTest`. */
export function createPublishTest(deps: PublishTestDeps): RouteEngine['publishTest'] {
  const { logger, versions, target, ceilings, requireEndpoint, notifyQueue, tellPublished } = deps
  const { db } = target
  return async (workspaceId, endpointId, { acting, ...how } = {}) => {
    checkNames('engine.publishTest', STATE_OPTIONS, how)
    await requireEndpoint(workspaceId, endpointId)
    await ceilings.waiting.check(workspaceId)
    const data = { message: 'This is a test event.', endpointId }
    // Its data is the same in every version.
    const own = versions && { oldest: versions.oldest, labels: newestFirst(versions), copies: [] }
    const event = { ...prepareEvent({ type: TEST_TYPE, workspaceId, data }), versions: own }
    const id = rowId(event.id, endpointId)
    const action = { verb: 'endpoint.test', workspaceId, endpointId, deliveryId: id } as const
    const transaction = new ActionTransaction({ db, logger }, action, { by: how.by, acting })
    const inserted = addInsert(transaction, fanOutToOneStatements(target, event, endpointId))
    const stored = sqlText`select id from pending_events where id = ${id}`
    transaction.record(stored)
    transaction.answer(stored)
    await transaction.commit(db).catch(async (error: unknown) => {
      // If the endpoint was deleted meanwhile there is no row to store as the answer, which fails the transaction.
      if (acting?.once && !(error instanceof OutboxError)) await requireEndpoint(workspaceId, endpointId)
      throw asEngineError(error)
    })
    if (inserted.rows.length === 0) throw new EngineError('not_found', 'no such endpoint')
    ceilings.waiting.added(workspaceId, inserted.rows.length)
    inBackground(notifyQueue(messagesFor(target, event, inserted.rows)), how.background)
    tellPublished({ event, deliveries: inserted.rows.length })
    return { eventId: event.id, accepted: true, deliveries: 1 }
  }
}

function newestFirst({ newest, labels }: CatalogVersions): [string, ...string[]] {
  return [newest, ...labels.filter((label) => label !== newest)]
}
