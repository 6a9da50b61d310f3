import { type OptionTable, sqlText } from '@keepsend/outbox/internal'
import { ENDPOINT_OPTIONS } from './check-endpoint.ts'
import { CHANGE_OPTIONS } from './endpoint-change.ts'
import { SHOWN_COLUMNS, toEndpoint } from './endpoint-columns.ts'
import { createEndpointStore } from './endpoint-store.ts'
import type { IdempotentEndpointStore } from './endpoint-store-api.ts'
import { checkUid, idOfUid, isUid } from './endpoint-uid.ts'
import { EngineError, checkNames } from '../errors.ts'
import { checkWorkspaceId } from '../workspace-id.ts'

const { uid: _uid, secret: _secret, ...OPTIONS } = ENDPOINT_OPTIONS

/** The properties that an upsert takes: the uid is given beside them, and a change takes no secret. */
export const UPSERT_OPTIONS: OptionTable = OPTIONS

// Each retry follows a creation, a deletion or a change of the uid by somebody else.
const MAX_TRIES = 10

/** The endpoints with the methods that find one by its uid; see {@link createEndpointStore}. */
export function createEndpoints(...of: Parameters<typeof createEndpointStore>): IdempotentEndpointStore {
  const [db] = of
  const endpoints = createEndpointStore(...of)
  return {
    ...endpoints,

    async getByUid(workspaceId, uid) {
      checkWorkspaceId(workspaceId)
      const { rows } = isUid(uid)
        ? await db.run(sqlText`
            select ${SHOWN_COLUMNS} from keepsend_endpoints as endpoint ${db.dialect.by('keepsend_endpoints_uid')}
            where workspace_id = ${workspaceId} and uid = ${uid}`)
        : { rows: [] }
      if (!rows[0]) throw new EngineError('not_found', 'no such endpoint')
      return toEndpoint(rows[0])
    },

    async upsert(workspaceId, uid, input, { acting, mustExist = false, ...options } = {}) {
      checkWorkspaceId(workspaceId)
      checkUid(uid)
      checkNames('an endpoint by its uid', UPSERT_OPTIONS, input)
      checkNames('endpoints.upsert', CHANGE_OPTIONS, options)
      // With the uid: the unique index decides between two creations, and a change gives it to the endpoint that it found.
      const parts = { ...input, uid }
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const id = await idOfUid(db, workspaceId, uid)
        if (id === undefined && (mustExist || options.ifVersion !== undefined)) {
          throw new EngineError('precondition_failed', `no endpoint has the uid ${JSON.stringify(uid)}`)
        }
        try {
          if (id === undefined)
            return { ...(await endpoints.create(workspaceId, parts, { by: options.by, acting })), isNew: true }
          return { endpoint: await endpoints.update(workspaceId, id, parts, { ...options, acting }), isNew: false }
        } catch (error) {
          // Somebody else has created it since, or deleted it.
          if (!(error instanceof EngineError && (error.code === 'conflict' || error.code === 'not_found'))) throw error
        }
      }
      throw new EngineError(
        'not_accepted',
        `nothing was committed: the endpoint with the uid ${JSON.stringify(uid)} was created and deleted all the time`,
        { retryAfterSeconds: 1 },
      )
    },
  }
}
